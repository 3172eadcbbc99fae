//! Kafka's plain encodings, as far as the records of `__consumer_offsets` use them: big-endian numbers, strings with a
//! length of two bytes, byte arrays with one of four, -1 for null.

use bytes::Bytes;

#[derive(Default)]
pub(super) struct Put(Vec<u8>);

impl Put {
    pub(super) fn int16(mut self, value: i16) -> Put {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn int32(mut self, value: i32) -> Put {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn int64(mut self, value: i64) -> Put {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn string(self, value: &str) -> Put {
        let len = i16::try_from(value.len()).expect("strings of requests are below 32 KiB");
        let mut put = self.int16(len);
        put.0.extend_from_slice(value.as_bytes());
        put
    }

    pub(super) fn nullable_string(self, value: Option<&str>) -> Put {
        match value {
            Some(value) => self.string(value),
            None => self.int16(-1),
        }
    }

    pub(super) fn bytes(self, value: &[u8]) -> Put {
        let len = i32::try_from(value.len()).expect("byte arrays of requests are below 2 GiB");
        let mut put = self.int32(len);
        put.0.extend_from_slice(value);
        put
    }

    pub(super) fn done(self) -> Bytes {
        Bytes::from(self.0)
    }
}

/// Takes fields off the front; `None` when they are not there.
pub(super) struct Take<'a>(pub(super) &'a [u8]);

impl Take<'_> {
    fn split(&mut self, len: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn int16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.split(2)?.try_into().ok()?))
    }

    pub(super) fn int32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.split(4)?.try_into().ok()?))
    }

    pub(super) fn int64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.split(8)?.try_into().ok()?))
    }

    pub(super) fn string(&mut self) -> Option<String> {
        self.nullable_string()?
    }

    pub(super) fn nullable_string(&mut self) -> Option<Option<String>> {
        match self.int16()? {
            -1 => Some(None),
            len => {
                let text = self.split(usize::try_from(len).ok()?)?;
                Some(Some(std::str::from_utf8(text).ok()?.to_owned()))
            }
        }
    }

    pub(super) fn bytes(&mut self) -> Option<Bytes> {
        let len = usize::try_from(self.int32()?).ok()?;
        self.split(len).map(Bytes::copy_from_slice)
    }
}
