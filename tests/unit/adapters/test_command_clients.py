from typing import Any

from emr_log_guard.adapters import command_clients


def test_a_function_is_never_invoked_twice_for_being_slow() -> None:
    config = command_clients.functions().meta.config

    assert config.retries["total_max_attempts"] == 1
    assert config.read_timeout > 120
    assert command_clients.functions() is command_clients.functions()


def test_the_command_names_itself() -> None:
    clients: tuple[Any, ...] = (command_clients.functions(), command_clients.cloudformation())

    for client in clients:
        assert "emr-log-guard" in client.meta.config.user_agent_extra
