"""The time-stamping authority in the Compose file: who reaches it, who sees what of it."""

from __future__ import annotations

from tests.unit.deploy.test_compose import DEPLOY, MAKER, PARTS, STAMPER, made, settings_in

__all__ = ["made"]


def test_the_time_stamper_is_reached_inside_only_and_by_those_who_ask_it(made, tmp_path, monkeypatch) -> None:
    from services.seal.app.stamping import LOOK_SECONDS, TsaKeySettings, TsaSettings
    from services.seal.settings import SealMakerSettings, SealSettings

    part = PARTS[STAMPER]
    assert (list(part["networks"]), part.get("ports")) == (["inside"], None)
    assert not any("dsn" in each["source"] for each in part["secrets"])
    settings = settings_in(STAMPER, TsaSettings, made, tmp_path, monkeypatch)
    assert settings.tls_certificate.is_file()
    path, seconds = part["healthcheck"]["test"][2:]
    assert str(settings.alive_file) == path
    assert float(seconds) > 3 * LOOK_SECONDS
    seal = settings_in("seal", SealSettings, made, tmp_path / "seal", monkeypatch)
    (alias,) = part["networks"]["inside"]["aliases"]
    assert seal.stampers() == [f"{alias}:{settings.http_port}"]
    keys = settings_in("seal-tsa-keys", TsaKeySettings, made, tmp_path / "keys", monkeypatch)
    assert (keys.directory, keys.exchange_dir) == (settings.directory, settings.exchange_dir)
    maker = settings_in(MAKER, SealMakerSettings, made, tmp_path / "maker", monkeypatch)
    assert maker.tsa_exchange_dir == settings.exchange_dir
    mounting = {name for name, each in PARTS.items() if "tsa-exchange:" in str(each.get("volumes"))}
    assert mounting == {STAMPER, "seal-tsa-keys", MAKER}
    assert str(settings.exchange_dir) in (DEPLOY / "Dockerfile").read_text("utf-8")
