"""What the recording upstream answers to each provider's own endpoints, beyond those of the OpenAI API."""

import json
from dataclasses import replace
from urllib.parse import urlsplit

from extra_headers.forwarding.testing.recording_provider import MODEL, Answer, ReceivedRequest, answer_as_provider

IAM_TOKEN = "the-iam-token"

_GENERATED = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
}
_VECTOR = [0.1, 0.2]

# By the end of the path. The models lists differ in shape, and several servers say at another place what they are.
_GETS: dict[str, object] = {
    "/api/version": {"version": "0"},
    "/props": {"default_generation_settings": {}},
    "/info": {"model_id": MODEL},
    "/foundation_model_specs": {"resources": []},
    "/foundation-models": {"modelSummaries": []},
    "/publishers/google/models": {"publisherModels": []},
    "/serving-endpoints": {"endpoints": []},
}
_POSTS: dict[str, object] = {
    "/identity/token": {"access_token": IAM_TOKEN, "expiration": 4102444800},
    ":generateContent": _GENERATED,
    ":embedContent": {"embedding": {"values": _VECTOR}},
    ":predict": {"predictions": [{"embeddings": {"values": _VECTOR, "statistics": {"token_count": 1}}}]},
    "/interactions": {"id": "interaction-1", "status": "completed", "outputs": [{"type": "text", "text": "hi"}]},
}


def answer_as_any_provider(request: ReceivedRequest) -> Answer:
    """Answer as whichever provider the path belongs to."""
    path = urlsplit(request.path).path
    known = _GETS if request.method == "GET" else _POSTS
    if (found := next((known[end] for end in known if path.endswith(end)), None)) is not None:
        return Answer(200, json.dumps(found).encode())
    if request.method == "GET":
        return answer_as_provider(request)
    if path.endswith(":streamGenerateContent"):
        return Answer(200, f"data: {json.dumps(_GENERATED)}\r\n\r\n".encode(), "text/event-stream")
    if b'"passages"' in request.body:
        return Answer(200, b'{"rankings": [{"index": 0, "logit": 0.5}]}')
    for end in ("/chat/completions", "/completions", "/embeddings", "/rerank", "/messages/count_tokens", "/messages"):
        if path.endswith(end):
            return answer_as_provider(replace(request, head=f"POST /v1{end} HTTP/1.1\r\n\r\n".encode()))
    return answer_as_provider(request)
