"""What the recording provider answers to LiteLLM: more endpoints, and models that fail."""

import json
import threading

from extra_headers.forwarding.testing.recording_provider import Answer, ReceivedRequest, answer_as_provider

_RESPONSE = {
    "id": "resp-1",
    "object": "response",
    "created_at": 0,
    "model": "test-model",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "m-1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_FILE = {"id": "file-1", "object": "file", "bytes": 1, "created_at": 0, "filename": "a", "purpose": "batch"}
_BATCH = {
    "id": "batch-1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "validating",
    "created_at": 0,
}
_JOB = {
    "id": "job-1",
    "object": "fine_tuning.job",
    "created_at": 0,
    "model": "test-model",
    "status": "queued",
    "training_file": "file-1",
    "hyperparameters": {"n_epochs": 1},
    "organization_id": "org",
    "result_files": [],
    "seed": 1,
}
_ANSWERS: dict[str, object] = {
    "/responses": _RESPONSE,
    "/responses/compact": {**_RESPONSE, "object": "response.compaction"},
    "/images/generations": {"created": 0, "data": [{"url": "http://127.0.0.1/a.png"}]},
    "/images/edits": {"created": 0, "data": [{"url": "http://127.0.0.1/a.png"}]},
    "/audio/transcriptions": {"text": "hi"},
    "/assistants": {"id": "asst-1", "object": "assistant", "created_at": 0, "model": "test-model", "tools": []},
    "/realtime/client_secrets": {"value": "ek-1", "expires_at": 0, "session": {"type": "realtime"}},
    "/moderations": {"id": "modr-1", "model": "test-model", "results": []},
    "/files": _FILE,
    "/batches": _BATCH,
    "/fine_tuning/jobs": _JOB,
    "/vector_stores": {"id": "vs-1", "object": "vector_store", "created_at": 0, "name": "a", "status": "completed"},
    "/videos": {"id": "video-1", "object": "video", "status": "queued", "created_at": 0, "model": "test-model"},
}
_flaky = threading.Lock()
_failed: set[str] = set()


def answer(request: ReceivedRequest) -> Answer:
    """Answer as a provider whose model `failing` always fails, and `flaky` every other time."""
    path = request.path.partition("?")[0]
    path = (path.rpartition("/v1")[2] or path).replace("/openai/deployments/test-model", "")
    if path in _ANSWERS and request.method == "POST":
        return Answer(200, json.dumps(_ANSWERS[path]).encode())
    if path == "/audio/speech":
        return Answer(200, b"RIFF", "audio/wav")
    if request.body[:1] == b"{":
        called = json.loads(request.body).get("model")
        if called == "cookie":
            given = answer_as_provider(request)
            return Answer(200, given.body, f"{given.content_type}\r\nset-cookie: session=EVIL; Path=/")
        if called == "failing" or (called == "flaky" and _fails_now()):
            return Answer(500, b'{"error": {"message": "the provider failed"}}')
    if path == "/chat/completions" and request.path != "/v1/chat/completions":
        return answer_as_provider(
            ReceivedRequest(request.head.replace(request.path.encode(), b"/v1/chat/completions"), request.body)
        )
    return answer_as_provider(request)


def _fails_now() -> bool:
    with _flaky:
        if _failed:
            _failed.clear()
            return False
        _failed.add("once")
        return True
