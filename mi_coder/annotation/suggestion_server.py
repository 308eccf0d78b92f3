"""A machine-learning backend for Label Studio, on loopback: suggestions from the tagger as coders open a message.

It answers `/health` and `/setup` at once, since Label Studio asks for both before nearly every action. It logs neither
texts nor tokens: requests are not logged, and an error is told by its kind, that of a retraining in the words of
mi_coder where it has any. All but `/health` is for programs on this machine alone, not for pages in a browser, which
give their origin or came from a host whose name leads here. Webhooks are hints that come without a promise;
`START_TRAINING` starts a retraining only where the server was asked to retrain.
"""

import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from mi_coder.annotation.client import LOOPBACK
from mi_coder.annotation.suggest import Suggester
from mi_coder.errors import MiCoderError, need

MODEL_CLASS = "MICoder"
HOSTS = (*LOOPBACK, "host.docker.internal")
"""Names of this machine: the last is Docker's, for a Label Studio in a container on it."""
MOST_BYTES = 16 << 20
"""The largest body of a request that is read."""

Retrain = Callable[[int], str]


def application(
    suggester: Suggester, retrain: Retrain | None = None, say: Callable[[str], None] = lambda line: None
) -> Any:
    """The ASGI application.

    Args:
        retrain: given the number of a project, makes a better tagger or not and says what came of it; None to refuse.
        say: is told what happens, without any text of a chat.

    Raises:
        MissingExtra: starlette is not installed.
    """
    need("starlette", extra="studio")
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    busy = threading.Lock()

    def local(answer: Callable[[Request], Awaitable[JSONResponse]]) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def checked(request: Request) -> JSONResponse:
            if "origin" in request.headers or (request.url.hostname or "") not in HOSTS:
                return JSONResponse({"detail": "Only programs on this machine may ask for this."}, status_code=403)
            return await answer(request)

        return checked

    async def body_of(request: Request) -> Any:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                raise HTTPException(413, f"A request may have at most {MOST_BYTES >> 20} MiB.")
        return json.loads(body)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "UP", "model_class": MODEL_CLASS})

    async def setup(request: Request) -> JSONResponse:
        return JSONResponse({"model_version": suggester.version})

    async def versions(request: Request) -> JSONResponse:
        return JSONResponse({"versions": [suggester.version]})

    async def predict(request: Request) -> JSONResponse:
        try:
            body = await body_of(request)
            tasks, config = list(body["tasks"]), str(body.get("label_config") or "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return JSONResponse({"detail": "A JSON object with tasks is expected."}, status_code=400)
        try:
            results = await run_in_threadpool(suggester.predict, tasks, config)
        except Exception as error:  # whatever it is, its message could quote a chat
            say(f"prediction failed: {type(error).__name__}")
            return JSONResponse({"detail": f"Prediction failed: {type(error).__name__}."}, status_code=500)
        return JSONResponse({"model_version": suggester.version, "results": results})

    async def webhook(request: Request) -> JSONResponse:
        try:
            body = await body_of(request)
            action, project = body.get("action"), int((body.get("project") or {}).get("id") or 0)
        except (ValueError, AttributeError, TypeError, OverflowError, RecursionError):
            return JSONResponse({"detail": "A JSON object is expected."}, status_code=400)
        if action == "START_TRAINING" and retrain is not None and busy.acquire(blocking=False):
            threading.Thread(target=_retrain, args=(retrain, project, busy, say), daemon=True).start()
            return JSONResponse({"status": "training"}, status_code=201)
        return JSONResponse({"status": "noted"}, status_code=201)

    return Starlette(
        routes=[
            Route("/", local(health)),
            Route("/health", health),
            Route("/setup", local(setup), methods=["POST"]),
            Route("/predict", local(predict), methods=["POST"]),
            Route("/webhook", local(webhook), methods=["POST"]),
            Route("/versions", local(versions)),
        ]
    )


def _retrain(retrain: Retrain, project: int, busy: threading.Lock, say: Callable[[str], None]) -> None:
    try:
        say(retrain(project))
    except Exception as error:  # the server goes on with the model it has
        # Other errors may quote a message.
        reason = str(error) if isinstance(error, MiCoderError) else type(error).__name__
        say(f"retraining failed: {reason}")
    finally:
        busy.release()


def serve(app: Any, port: int) -> None:
    """Run the application on loopback until it is interrupted.

    Raises:
        MissingExtra: uvicorn is not installed.
    """
    uvicorn = need("uvicorn", extra="studio")
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="error")
