"""A judge for tests: `python judge_server.py` answers OpenAI's chat API on a free port of 127.0.0.1, which it prints.

The model's name says how it judges: `fair` prefers the answer with "good" in it, `first` always the first, `mumbling`
says nothing that decides, `thinking` talks before it decides, `flaky` fails once per question, `broken` always.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "secret"


class Handler(BaseHTTPRequestHandler):
    asked: list[str] = []  # prompts, in the order in which they came

    def do_GET(self) -> None:
        self._answer(200, {"asked": self.asked})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*self._reply(body))

    def _reply(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.path != "/v1/chat/completions":
            return 404, {"error": {"message": f"no {self.path}"}}
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"error": {"message": "wrong key"}}
        if body["temperature"] != 0 or [m["role"] for m in body["messages"]] != ["user"]:
            return 400, {"error": {"message": "not what a judge is asked"}}
        prompt, model = body["messages"][0]["content"], body["model"]
        before = self.asked.count(prompt)
        self.asked.append(prompt)
        if model == "broken" or (model == "flaky" and not before):
            return 503, {"error": {"message": "overloaded"}}
        message = {"role": "assistant", "content": verdict(model, prompt)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, {"id": "x", "object": "chat.completion", "model": model, "choices": [choice]}

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def verdict(model: str, prompt: str) -> str:
    first, second = (
        "good" in re.findall(f"<answer_{name}>\n(.*?)\n</answer_{name}>", prompt, re.DOTALL)[0] for name in "ab"
    )
    word = "A" if model == "first" or first > second else "B" if second > first else "EQUAL"
    return {"mumbling": "Hard to say.", "thinking": f"Let me compare them.\n\n**{word}**"}.get(model, word)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
