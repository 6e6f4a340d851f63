"""From token ids to text, piece by piece: no half characters, nothing of a stop sequence."""

from clm.llm.tokenizer import ChatTokenizer

HALF_CHARACTER = "�"  # what decoding shows for bytes that are no whole character yet


class AnswerStream:
    """One answer being written. `text` is what was given out so far."""

    def __init__(self, tokenizer: ChatTokenizer, stop: tuple[str, ...]) -> None:
        self._tokenizer = tokenizer
        self._stop = tuple(s for s in stop if s)
        self._ids: list[int] = []
        self._decoded = 0  # ids before this one are in `_whole`
        self._whole = ""
        self.text = ""
        self.stopped = False

    def add(self, token: int) -> str:
        """Takes one token and returns the text that is certain now."""
        self._ids.append(token)
        piece = self._new_piece()
        if not piece.endswith(HALF_CHARACTER):
            self._whole += piece
            self._decoded = len(self._ids)
        ends = [at for s in self._stop if (at := self._whole.find(s)) >= 0]
        if ends:
            self.stopped = True
            self._whole = self._whole[: min(ends)]
            return self._give(len(self._whole))
        return self._give(len(self._whole) - self._held_back())

    def finish(self) -> str:
        """The rest, once no more tokens come."""
        if not self.stopped and self._decoded < len(self._ids):
            self._whole += self._new_piece()
        return self._give(len(self._whole))

    def _new_piece(self) -> str:
        # Decoded behind one earlier token, for some tokenizers drop a space at the very start.
        start = max(0, self._decoded - 1)
        before = self._tokenizer.decode(self._ids[start : self._decoded])
        return self._tokenizer.decode(self._ids[start:])[len(before) :]

    def _held_back(self) -> int:
        """Length of the longest end that may become a stop sequence."""
        ends = (n for s in self._stop for n in range(1, len(s)) if self._whole.endswith(s[:n]))
        return max(ends, default=0)

    def _give(self, up_to: int) -> str:
        new = self._whole[len(self.text) : up_to]
        self.text += new
        return new
