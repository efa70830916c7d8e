import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tervit_np.deploy.bit_packing import check_range, decode, encode, packed_size


@st.composite
def codes_and_bits(draw):
    bits = draw(st.integers(2, 7))
    q_max = 2 ** (bits - 1) - 1
    return np.array(draw(st.lists(st.integers(-q_max, q_max), min_size=1)), np.int8), bits


@given(codes_and_bits())
def test_decode_inverts_encode(case):
    codes, bits = case
    data = encode(codes, bits)
    assert (data.dtype, data.shape) == (np.uint8, (packed_size(codes.size, bits),))
    decoded = decode(data, codes.size, bits)
    assert decoded.dtype == np.int8
    np.testing.assert_array_equal(decoded, codes)


@given(codes_and_bits())
def test_codes_follow_each_other_bit_by_bit(case):
    """NumPy's own packing of bits, the lowest first, gives the same bytes."""
    codes, bits = case
    each = np.unpackbits(codes.view(np.uint8)[:, None], axis=1, count=bits, bitorder="little")
    np.testing.assert_array_equal(encode(codes, bits), np.packbits(each, bitorder="little"))


def test_four_bits_by_hand():
    """1 and -1 are 0001 and 1111, the first in the low half; a last half is zero."""
    assert encode(np.array([1, -1, -7], np.int8), 4).tolist() == [0xF1, 0x09]
    assert decode(np.array([0xF1, 0x09], np.uint8), 3, 4).tolist() == [1, -1, -7]


def test_three_bits_by_hand():
    """1, -1, 2 and -3 are 001, 111, 010 and 101: 101 010 111 001 from the right."""
    assert encode(np.array([1, -1, 2, -3], np.int8), 3).tolist() == [0b10111001, 0b1010]


def test_matrices_are_flattened_row_by_row():
    codes = np.array([[1, 2, 3], [-1, -2, -3]], np.int8)
    np.testing.assert_array_equal(encode(codes, 4), encode(codes.ravel(), 4))
    np.testing.assert_array_equal(encode(codes.T, 4), encode(codes.T.copy(), 4))


def test_four_bits_are_those_of_onnx():
    onnx = pytest.importorskip("onnx")
    ml_dtypes = pytest.importorskip("ml_dtypes")
    codes = np.random.default_rng(0).integers(-7, 8, 31).astype(np.int8)
    tensor = onnx.numpy_helper.from_array(codes.astype(ml_dtypes.int4))
    assert tensor.raw_data == encode(codes, 4).tobytes()


@pytest.mark.parametrize("bits", range(2, 8))
def test_every_byte_is_decoded_or_refused(bits):
    count, refused = 8 // bits, 0
    for byte in range(256):
        data = np.array([byte], np.uint8)
        try:
            codes = decode(data, count, bits)
        except ValueError as error:
            assert "the file is damaged" in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(encode(codes, bits), data)
    assert refused == 256 - (2**bits - 1) ** count


@pytest.mark.parametrize("count", range(1, 20))
@pytest.mark.parametrize("bits", range(2, 8))
def test_bits_beyond_the_last_code_are_refused(bits, count):
    data = encode(np.ones(count, np.int8), bits)
    for bit in range(count * bits, 8 * len(data)):
        bad = data.copy()
        bad[-1] |= 1 << bit % 8
        with pytest.raises(ValueError, match="beyond the last weight"):
            decode(bad, count, bits)


def test_decode_refuses_too_few_or_too_many_bytes():
    data = encode(np.ones(7, np.int8), 4)
    for bad in (data[:3], np.append(data, data[0]), data.astype(np.int32), data[None]):
        with pytest.raises(ValueError, match="is not 7 codes of 4 bits"):
            decode(bad, 7, 4)


def test_codes_out_of_range_are_refused():
    check_range(np.array([-7, 7], np.int8), 4)
    for code in (-8, 8):
        with pytest.raises(ValueError, match=f"found the code {code}, but codes of 4 bits go from"):
            check_range(np.array([0, code], np.int8), 4)
