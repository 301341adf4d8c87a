from portal.gateway.serializers import BytesSerializer


def test_bytes_pass_untouched() -> None:
    serializer = BytesSerializer()
    assert serializer.loads(serializer.dumps(b"\x00\xff")) == b"\x00\xff"
