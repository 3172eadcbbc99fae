//! Zigzag variable-length integers, as records use them.

/// Takes a varint of at most 32 bits; `None` when it is cut short or longer than that.
pub(super) fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let raw = take_raw(bytes, 32)?;
    let raw = u32::try_from(raw).ok()?;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Takes a varint of at most 64 bits.
pub(super) fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    let raw = take_raw(bytes, 64)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

/// Seven bits a byte, lowest first; a byte that would carry a bit beyond `bits` is refused.
fn take_raw(bytes: &mut &[u8], bits: u32) -> Option<u64> {
    let mut value = 0u64;
    let mut shift = 0;
    while shift < bits {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift + 7 > bits && part >> (bits - shift) != 0 {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
    None
}

pub(super) fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_i64(out, i64::from(value));
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    let mut raw = (value << 1 ^ value >> 63) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_read_back_at_every_width() {
        let mut values = vec![i64::MIN, i64::MAX, 0];
        for shift in 0..63 {
            values.extend([1i64 << shift, -(1i64 << shift), (1i64 << shift) - 1]);
        }
        for value in values {
            let mut out = Vec::new();
            put_i64(&mut out, value);
            assert_eq!(take_i64(&mut &out[..]), Some(value));
            let narrow = i32::try_from(value).ok();
            assert_eq!(take_i32(&mut &out[..]), narrow, "{value} as 32 bits");
        }
    }

    #[test]
    fn overlong_and_cut_varints_are_refused() {
        for bytes in [
            &[][..],
            &[0x80],
            &[0xff, 0xff, 0xff, 0xff],
            &[0xff, 0xff, 0xff, 0xff, 0x10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
        ] {
            assert_eq!(take_i32(&mut &bytes[..]), None, "{bytes:?}");
        }
        let full = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            take_i64(&mut &[&full[..], &[0x01]].concat()[..]),
            Some(i64::MIN)
        );
        assert_eq!(take_i64(&mut &[&full[..], &[0x02]].concat()[..]), None);
        assert_eq!(
            take_i64(&mut &[&full[..], &[0x81, 0x00]].concat()[..]),
            None
        );
    }
}
