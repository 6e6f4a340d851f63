"""The official OpenAI client against the real gateway and engine, with a tiny base."""

import time
from collections.abc import Generator

import httpx
import openai
import pytest
from sqlalchemy import func, select

from clm.core.hashing import short
from clm.monitoring.repository import get_answer
from clm.monitoring.tables import Answer, Feedback
from serving_home import HTTP, MODEL, PROMPTS, ServingHome, wait_until

pytestmark = pytest.mark.usefixtures("ports")


@pytest.fixture(scope="module")
def client(home: ServingHome) -> Generator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{home.settings.gateway_url}/v1", api_key="none", max_retries=0) as client:
        yield client


def answer_row(home: ServingHome, record: str) -> Answer:
    def find() -> Answer | None:
        with home.database.read() as session:
            return get_answer(session, record)

    wait_until(lambda: find() is not None, 2, "the request log is written")
    row = find()
    assert row is not None
    return row


@pytest.mark.parametrize("prompt", [PROMPTS["colors"][3], PROMPTS["sums"][7], "Tell me a long story about a king."])
def test_an_answer_is_the_release_s_own(home: ServingHome, client: openai.OpenAI, prompt: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": prompt}])
    got = raw.parse()
    text, task = home.expected("v1", prompt, 8)
    assert got.choices[0].message.content == text
    assert got.choices[0].finish_reason in ("stop", "length")
    assert got.usage is not None
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
    assert raw.headers["x-clm-release"] == home.releases["v1"].release_id
    row = answer_row(home, raw.headers["x-clm-record-id"])
    assert (row.expert, row.status, row.release_id) == (task, 200, home.releases["v1"].release_id)
    assert row.latency_ms > 0
    assert row.prompt_tokens == got.usage.prompt_tokens


def test_the_two_tasks_are_routed_to_their_experts(home: ServingHome) -> None:
    assert home.expected("v1", PROMPTS["colors"][3], 8)[1] == "colors"
    assert home.expected("v1", PROMPTS["sums"][7], 8)[1] == "sums"


def test_a_stream_says_the_same_piece_by_piece(home: ServingHome, client: openai.OpenAI) -> None:
    prompt = PROMPTS["colors"][5]
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        max_tokens=20,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == home.expected("v1", prompt, 20)[0]
    assert len([p for p in pieces if p]) > 1
    assert chunks[-2].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].usage is not None
    record = chunks[0].id.removeprefix("chatcmpl-")
    assert answer_row(home, record).completion_tokens == chunks[-1].usage.completion_tokens


def test_plain_completions_answer_and_stream(home: ServingHome, client: openai.OpenAI) -> None:
    prompt = PROMPTS["sums"][2]
    text = home.expected("v1", prompt, 6)[0]
    assert client.completions.create(model=MODEL, prompt=prompt, max_tokens=6).choices[0].text == text
    stream = client.completions.create(model=MODEL, prompt=prompt, max_tokens=6, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == text


def test_stop_words_cut_the_answer(home: ServingHome, client: openai.OpenAI) -> None:
    prompt = PROMPTS["colors"][1]
    whole = home.expected("v1", prompt, 20)[0]
    word = whole[4:6]
    got = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": prompt}], max_tokens=20, stop=word
    )
    assert got.choices[0].message.content == whole[: whole.index(word)]
    assert got.choices[0].finish_reason == "stop"


def test_sampling_follows_its_seed(client: openai.OpenAI) -> None:
    def ask(seed: int) -> str | None:
        got = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], temperature=2, seed=seed, max_tokens=12
        )
        return got.choices[0].message.content

    assert ask(1) == ask(1)
    assert len({ask(seed) for seed in range(4)}) > 1


def test_models_are_listed_and_unknown_ones_named(home: ServingHome, client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == [MODEL, f"{MODEL}@champion"]
    assert client.models.retrieve(MODEL).id == MODEL
    for model in ("gpt-4", "gpt-4@champion"):
        with pytest.raises(openai.NotFoundError, match="Known: support") as error:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hi"}])
        assert error.value.code == "model_not_found"
    with pytest.raises(
        openai.NotFoundError, match=f"serves no 'candidate'. Known: champion .{short(home.releases['v1'].release_id)}"
    ):
        client.chat.completions.create(model=f"{MODEL}@candidate", messages=[{"role": "user", "content": "Hi"}])


def test_feedback_finds_its_answer(home: ServingHome, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    record = raw.headers["x-clm-record-id"]
    url = f"{home.settings.gateway_url}/v1/feedback"
    for score in (0.25, 0.75):  # at once: the log has to be flushed for it
        assert HTTP.post(url, json={"record_id": record, "score": score}).status_code == 201
    with home.database.read() as session:
        rows = list(session.scalars(select(Feedback).where(Feedback.answer_id == record)))
    assert [row.score for row in rows] == [0.75]
    unknown = HTTP.post(url, json={"record_id": "ans_nobody", "score": 1})
    assert unknown.status_code == 404
    assert HTTP.post(url, json={"record_id": record, "score": 1.5}).status_code == 400


MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "object"),
        (b'{"model": "support", "messages": [{"role": "user", "content": "\\ud800"}]}', "JSON"),
        ({"messages": MESSAGES}, "model"),
        ({"model": MODEL}, "messages"),
        ({"model": MODEL, "messages": []}, "messages"),
        ({"model": MODEL, "messages": [{"role": "robot", "content": "Hi"}]}, "role"),
        (
            {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "image_url",
        ),
        ({"model": MODEL, "messages": MESSAGES, "max_tokens": 0}, "max_tokens"),
        ({"model": MODEL, "messages": MESSAGES, "top_k": 40}, "top_k can't be served"),
        ({"model": MODEL, "messages": MESSAGES, "made_up": 1}, "made_up can't be served"),
        ({"model": MODEL, "messages": [{**MESSAGES[0], "tool_calls": [{}]}]}, "messages[0]: tool_calls can't be"),
        ({"model": MODEL, "messages": [{"role": "user", "content": 5}]}, "messages[0].content: Input should be"),
        ({"model": MODEL, "messages": MESSAGES, "temperature": 9}, "temperature"),
        ({"model": MODEL, "messages": MESSAGES, "n": 3}, "n:"),
        ({"model": MODEL, "messages": MESSAGES, "tools": [{"type": "function"}]}, "tools"),
        ({"model": MODEL, "messages": MESSAGES, "response_format": "json"}, "response_format"),
        ({"model": MODEL, "messages": [{"role": "user", "content": "long " * 1000}]}, "tokens"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(home: ServingHome, body: object, told: str) -> None:
    url = f"{home.settings.gateway_url}/v1/chat/completions"
    got = HTTP.post(url, content=body) if isinstance(body, bytes) else HTTP.post(url, json=body)
    assert got.status_code == 400
    assert told in got.json()["error"]["message"]
    assert got.json()["error"]["type"] == "invalid_request_error"


def test_wishes_without_effect_are_met(client: openai.OpenAI) -> None:
    got = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi", "name": "Ada"}], frequency_penalty=0, logprobs=False,
        metadata={"a": "b"}, store=False, tools=[], response_format={"type": "text"}, extra_body={"top_k": None},
    )  # fmt: skip
    assert got.choices[0].finish_reason in ("stop", "length")


def test_a_prompt_that_is_too_long_has_its_code_and_a_long_wish_is_cut(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="tokens; this model reads") as error:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "long " * 1000}])
    assert (error.value.code, error.value.param) == ("context_length_exceeded", "messages")
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model=MODEL, prompt="long " * 1000)
    assert (error.value.code, error.value.param) == ("context_length_exceeded", "prompt")
    got = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=10_000_000, stop=["e", "a", "o", " "]
    )
    assert got.choices[0].finish_reason in ("stop", "length")


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_the_engine(home: ServingHome, stream: bool) -> None:
    """Each wants an answer of many seconds; the next client must not wait for those who left."""
    url = f"{home.settings.gateway_url}/v1/chat/completions"
    release = f"{home.settings.engine_url}/internal/releases/{home.releases['v1'].release_id}/fault"
    HTTP.put(release, json={"kind": "slow", "seconds": 20}).raise_for_status()
    try:
        body = {"model": MODEL, "messages": MESSAGES, "max_tokens": 4000, "stream": stream}
        for _ in range(4):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(url, json=body, timeout=0.3)
    finally:
        HTTP.delete(release)
    before = time.monotonic()
    assert HTTP.post(url, json={"model": MODEL, "messages": MESSAGES, "max_tokens": 2}).status_code == 200
    assert time.monotonic() - before < 10

    def left() -> int:
        with home.database.read() as session:
            return session.scalar(select(func.count()).where(Answer.status == 499)) or 0

    wait_until(lambda: left() >= 4, 5, "those who left are booked as that")
    with home.database.read() as session:
        assert not list(session.scalars(select(Answer).where(Answer.status == 499, Answer.error.is_not(None))))


def test_limits_and_odd_doors(home: ServingHome) -> None:
    gateway = home.settings.gateway_url
    big = HTTP.post(f"{gateway}/v1/chat/completions", content=b" " * (5 * 1024**2))
    assert big.status_code == 413
    assert HTTP.get(f"{gateway}/v1/nothing").status_code == 404
    assert HTTP.get(f"{gateway}/healthz", headers={"Host": "evil.example"}).status_code == 400
    foreign = HTTP.post(f"{gateway}/v1/feedback", json={}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    health = HTTP.get(f"{gateway}/healthz").json()
    assert health["engine"] is True
