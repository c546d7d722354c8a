from __future__ import annotations

from halo_forge.tracking.protocol import shown_settings


def test_secrets_are_hidden_and_settings_are_not() -> None:
    shown = shown_settings(
        {
            "max_new_tokens": 8,
            "api_key": "k",
            "token": None,
            "verifier_options": {"host": "ssh://me:word@there", "password": "p", "hf_token": "t"},
            "server": "https://user:pass@host:8000/v1?x=1",
            "k": [1, 5],
        }
    )
    assert shown == {
        "max_new_tokens": "8",
        "api_key": "(hidden)",
        "token": "None",
        "verifier_options.host": "ssh://(hidden)@there",
        "verifier_options.password": "(hidden)",
        "verifier_options.hf_token": "(hidden)",
        "server": "https://(hidden)@host:8000/v1?x=1",
        "k": "[1, 5]",
    }
