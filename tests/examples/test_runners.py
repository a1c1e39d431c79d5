"""The arguments that Beam is given, by runner."""

from __future__ import annotations

from examples.wine_quality.runners import beam_arguments


def test_an_engine_gets_the_arguments_of_a_job_server_on_this_machine() -> None:
    assert beam_arguments("flink") == [
        "--runner=PortableRunner",
        "--job_endpoint=localhost:8099",
        "--environment_type=LOOPBACK",
        "--parallelism=2",
        "--sdk_container_image=unused",
    ]


def test_an_argument_of_the_user_takes_the_place_of_the_own_one() -> None:
    given = ["--job_endpoint=host:1", "--parallelism=8"]
    assert beam_arguments("spark", given) == [
        "--runner=PortableRunner",
        "--environment_type=LOOPBACK",
        "--sdk_container_image=unused",
        "--job_endpoint=host:1",
        "--parallelism=8",
    ]


def test_without_an_engine_beam_gets_what_the_user_gave() -> None:
    assert beam_arguments("local") == []
    assert beam_arguments("beam", ["--direct_num_workers=2"]) == ["--direct_num_workers=2"]
