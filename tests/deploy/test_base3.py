import itertools

import numpy as np
import pytest

from tervit_np.deploy.base3 import decode, encode


def test_decode_inverts_encode_for_all_five_codes():
    codes = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8)
    data = encode(codes)
    assert len(np.unique(data)) == 243
    np.testing.assert_array_equal(decode(data, codes.size).reshape(-1, 5), codes)


def test_every_byte_decodes_to_five_codes_or_is_refused():
    refused = 0
    for byte in range(256):
        data = np.array([byte], np.uint8)
        try:
            codes = decode(data, 5)
        except ValueError as error:
            assert f"byte {byte} encodes no five" in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(encode(codes), data)
    assert refused == 13


@pytest.mark.parametrize("count", range(1, 12))
def test_the_last_byte_may_hold_fewer_codes(count):
    codes = np.random.default_rng(count).integers(-1, 2, count).astype(np.int8)
    data = encode(codes)
    assert data.nbytes == -(-count // 5)
    np.testing.assert_array_equal(decode(data, count), codes)


def test_decode_refuses_too_few_or_too_many_bytes():
    data = encode(np.ones(7, np.int8))
    for bad in (data[:1], np.append(data, data[0]), data.astype(np.int32)):
        with pytest.raises(ValueError, match="is not 7 ternary codes"):
            decode(bad, 7)
    with pytest.raises(ValueError, match="beyond the last weight"):
        decode(encode(np.ones(8, np.int8)), 7)
