from halo_forge.sandbox.seccomp import filter_program


def test_known_machines_have_a_filter_of_whole_instructions() -> None:
    for machine in ("x86_64", "aarch64"):
        program = filter_program(machine)
        assert program is not None
        assert len(program) % 8 == 0


def test_an_unknown_machine_has_none() -> None:
    assert filter_program("pdp11") is None
