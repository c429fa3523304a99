"""Admission by the measured rate, and turns between requests."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from serving import Photographs, client_of, service_of

from eyebright.serving.errors import OverloadedError
from eyebright.serving.prediction import Answered
from eyebright.serving.served_model import ServedModel
from eyebright.serving.workers import Workers


def test_what_cannot_be_answered_in_time_is_refused():
    async def fill() -> OverloadedError:
        gate = threading.Event()
        tasks = []
        try:
            while True:
                workers.admit()
                tasks.append(asyncio.create_task(workers.run(gate.wait)))
                await asyncio.sleep(0)
        except OverloadedError as error:
            return error
        finally:
            gate.set()
            await asyncio.gather(*tasks)
            counts.append(len(tasks))

    counts: list[int] = []
    workers = Workers(2, seconds=0.1, deadline_seconds=1.0)
    refused = asyncio.run(fill())
    workers.close(1)
    assert counts == [20]  # ten rounds of two images
    assert refused.retry_after_seconds == 1
    assert workers.pending == 0


def test_the_rate_is_measured():
    workers = Workers(1, seconds=10.0, deadline_seconds=1.0)
    workers.admit()  # nothing waits

    async def work() -> None:
        first = asyncio.create_task(workers.run(lambda: None))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):  # as long as nothing is known of it
            workers.admit()
        await first
        for _ in range(100):
            await workers.run(lambda: None)

    asyncio.run(work())
    workers.admit()
    workers.close(1)


def test_errors_come_back_and_the_thread_lives_on():
    async def work() -> int:
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0)
        return await workers.run(lambda: 7)

    workers = Workers(1, seconds=0.1, deadline_seconds=1.0)
    assert asyncio.run(work()) == 7
    workers.close(1)


def test_a_thread_that_hangs_is_seen(monkeypatch: pytest.MonkeyPatch):
    async def work() -> bool:
        task = asyncio.create_task(workers.run(gate.wait))
        while workers._started == [None]:
            await asyncio.sleep(0.001)
        late = time.monotonic() + 100
        monkeypatch.setattr("time.monotonic", lambda: late)
        found = workers.hanging
        monkeypatch.undo()
        gate.set()
        await task
        return found

    gate = threading.Event()
    workers = Workers(1, seconds=0.1, deadline_seconds=1.0)
    assert not workers.hanging
    assert asyncio.run(work())
    workers.close(1)


def test_a_request_of_many_lets_others_have_their_turn(served: ServedModel, photos: Photographs):
    """While one request of many images is answered, few of its images wait before those of others."""
    waiting: list[int] = []

    def answer(source: object, *text: object) -> object:
        waiting.append(service.workers.pending)
        return original(source, *text)

    service = service_of(served)
    original = served.answer
    with pytest.MonkeyPatch.context() as patch, client_of(service) as client:
        patch.setattr(served, "answer", answer)
        files = [("file", photos.first)] * 20
        assert client.post("/predict", files=files).status_code == 200
    assert max(waiting) <= service.workers.count


def test_refusals_say_when_to_come_back(served: ServedModel, photos: Photographs):
    service = service_of(served)
    service.workers.pending = 10_000
    with client_of(service) as client:
        response = client.post("/predict", content=photos.first)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1


def test_bodies_share_a_limited_memory(served: ServedModel, photos: Photographs):
    service = service_of(served, max_body_bytes=2**20, held_bytes=2**20)
    with client_of(service) as client:
        with service.room_for(2**20 - 10):
            assert client.post("/predict", content=photos.first).status_code == 429
        assert client.post("/predict", content=photos.first).status_code == 200


def test_a_dead_engine_turns_readiness_off_until_it_answers_again(served: ServedModel, photos: Photographs):
    def dead(_: object) -> Answered:
        raise RuntimeError("device lost")

    service = service_of(served)
    with client_of(service) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.predictor, "answer", dead)
            assert client.get("/health/ready").status_code == 200
            failed = client.post("/predict", content=photos.first)
            assert failed.status_code == 503
            assert "device lost" in failed.json()["detail"]
            assert client.get("/health/ready").status_code == 503
            assert client.get("/v2/models/textile/ready").status_code == 503
            assert client.get("/health/live").status_code == 200
            assert client.post("/predict", content=photos.first).status_code == 503
            assert client.get("/metrics").text.count("eyebright_ready 0") == 1
        client.portal.call(service._ask_again, service.registry.get(None), served)
        assert client.get("/health/ready").json() == {"ready": True, "models": {"textile": None}}
        assert client.post("/predict", content=photos.first).status_code == 200


def test_an_image_that_the_engine_cannot_take_is_no_dead_engine(served: ServedModel, photos: Photographs):
    calls = 0

    def picky(image: object, *text: object) -> Answered:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("too much memory")
        return original(image, *text)

    original = served.predictor.answer
    with client_of(service_of(served)) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.predictor, "answer", picky)
        assert client.post("/predict", content=photos.first).status_code == 422
        assert client.get("/health/ready").status_code == 200
