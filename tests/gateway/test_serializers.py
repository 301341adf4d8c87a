from portal.gateway.serializers import BytesSerializer, JSONSerializer


def test_bytes_pass_untouched() -> None:
    serializer = BytesSerializer()
    assert serializer.loads(serializer.dumps(b"\x00\xff")) == b"\x00\xff"


def test_counters_are_plain_numbers_to_redis() -> None:
    assert JSONSerializer().dumps(7) == b"7"


def test_small_values_come_back_as_they_went() -> None:
    serializer = JSONSerializer()
    assert serializer.loads(serializer.dumps([1.5, "a", None])) == [1.5, "a", None]
