//! The few fields of a Produce answer that are needed, read in place: no allocation for an acknowledgement.
//!
//! The answer is to a request with one topic and one partition. Whatever follows the offset is not looked at.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) correlation: i32,
    pub(crate) partition: i32,
    pub(crate) error_code: i16,
    pub(crate) base_offset: i64,
}

const FLEXIBLE_FROM: i16 = 9;

/// None when these bytes are no such answer.
pub(crate) fn read(version: i16, frame: &[u8]) -> Option<Answer> {
    let mut rest = frame;
    let correlation = i32::from_be_bytes(take(&mut rest)?);
    let flexible = version >= FLEXIBLE_FROM;
    if flexible {
        // Tagged fields of the header, then topics (count + 1), then the name (length + 1).
        (varint(&mut rest)? == 0).then_some(())?;
        (varint(&mut rest)? == 2).then_some(())?;
        let name = varint(&mut rest)?.checked_sub(1)?;
        rest = rest.get(name..)?;
        (varint(&mut rest)? == 2).then_some(())?;
    } else {
        (i32::from_be_bytes(take(&mut rest)?) == 1).then_some(())?;
        let name = i16::from_be_bytes(take(&mut rest)?);
        rest = rest.get(usize::try_from(name).ok()?..)?;
        (i32::from_be_bytes(take(&mut rest)?) == 1).then_some(())?;
    }
    Some(Answer {
        correlation,
        partition: i32::from_be_bytes(take(&mut rest)?),
        error_code: i16::from_be_bytes(take(&mut rest)?),
        base_offset: i64::from_be_bytes(take(&mut rest)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn varint(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take(rest)?;
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla::wire::ApiKey;
    use ottla::wire::frame::response_frame;
    use ottla::wire::produce::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};

    #[test]
    fn it_agrees_with_the_codec_in_every_version() {
        let answer = ProduceResponse {
            responses: [TopicProduceResponse {
                name: "a-topic".repeat(20).into(),
                partition_responses: [PartitionProduceResponse {
                    index: 4,
                    error_code: 7,
                    base_offset: 1 << 40,
                    error_message: Some("why".into()),
                    ..PartitionProduceResponse::default()
                }]
                .into(),
                ..TopicProduceResponse::default()
            }]
            .into(),
            ..ProduceResponse::default()
        };
        for version in 3..=12 {
            let frame = response_frame(ApiKey::Produce, version, -5, &answer);
            let expected = Answer {
                correlation: -5,
                partition: 4,
                error_code: 7,
                base_offset: 1 << 40,
            };
            assert_eq!(read(version, &frame[4..]), Some(expected), "{version}");
            for cut in 0..30 {
                assert_eq!(read(version, &frame[4..4 + cut]), None, "{version} {cut}");
            }
        }
    }
}
