"""Identities in certificates, access rules in protos, fingerprints of requests: no sockets."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.rpc.access import is_uuid
from chassis.rpc.call import Caller, caller, calling, current_call
from chassis.rpc.peer import Peer, peer_of, peer_of_uris, read_peer
from tongban.common.v1 import access_pb2


@pytest.mark.parametrize(
    "peer",
    [
        Peer("service", "certs"),
        Peer("department", "361103-market"),
        Peer("terminal", "K_7.a"),
        Peer("operator", "root"),
    ],
)
def test_an_identity_comes_back_from_its_uri(peer) -> None:
    assert read_peer(peer.uri) == peer


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://tongban/service/",
        "spiffe://tongban/service/a/b",
        "spiffe://tongban/robot/a",
        "spiffe://other/service/certs",
        "spiffe://tongban/service/certs?x=1",
        "spiffe://tongban/service/certs\n",
        "SPIFFE://tongban/service/certs",
        "spiffe://tongban.evil/service/certs",
        "https://tongban/service/certs",
    ],
)
def test_any_other_uri_is_no_identity(uri) -> None:
    with pytest.raises(ValueError):
        read_peer(uri)
    with pytest.raises(Fault):
        peer_of_uris([uri])


def test_a_certificate_with_two_identities_has_none() -> None:
    with pytest.raises(Fault):
        peer_of_uris([Peer("service", "certs").uri, Peer("service", "seal").uri])
    with pytest.raises(Fault):
        peer_of({"x509_subject_alternative_name": [b"spiffe://tongban/service/certs"]})


@given(st.text(max_size=80))
def test_no_text_crashes_the_uuid_check(text: str) -> None:
    assert is_uuid(text) in {True, False}


def test_the_current_call_is_bound_to_its_block() -> None:
    assert current_call() is None
    with calling(Caller(Peer("department", "a"))) as call:
        assert caller() is call
        assert call.key == "department/a"
        assert call.department() == "a"
        with pytest.raises(Fault):
            call.acting()
    with pytest.raises(RuntimeError):
        caller()


def test_a_token_never_appears_in_the_repr_of_a_call() -> None:
    assert "secret" not in repr(Caller(None, None, "secret"))


def test_every_caller_kind_of_the_proto_admits_somebody() -> None:
    from chassis.rpc.access import Method

    peers = [Peer("service", name) for name in ("intake", "certs", "seal", "notify")]
    peers += [Peer(kind, "a") for kind in ("department", "operator", "registry")]
    for value in access_pb2.Caller.values():
        method = Method("s", "m", frozenset([value]), False, "", False, False)
        admitted = [peer for peer in peers if method.permits(peer)]
        expected = {access_pb2.CALLER_UNSPECIFIED: 0, access_pb2.CALLER_ANYONE: len(peers)}.get(value, 1)
        assert len(admitted) == expected
    assert descriptor_pool.Default().FindExtensionByName("tongban.common.v1.access").number == 50501
