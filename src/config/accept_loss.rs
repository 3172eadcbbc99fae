//! `--accept-loss`: what an operator gives up. Only ever typed, for one start; no file and no environment may hold it.

/// Damaged partitions that are to go on with what is left of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AcceptLoss {
    #[default]
    Nothing,
    /// Topic and partition.
    Of(Vec<(String, u32)>),
    All,
}

impl AcceptLoss {
    /// Reads what was typed: `TOPIC-PARTITION`, any number of times, or `all`. Fails with the one that is neither.
    pub fn parse(typed: &[String]) -> Result<AcceptLoss, String> {
        if typed.iter().any(|text| text == "all") {
            return Ok(AcceptLoss::All);
        }
        let partitions: Result<Vec<_>, String> = typed.iter().map(|text| partition(text)).collect();
        Ok(match partitions? {
            none if none.is_empty() => AcceptLoss::Nothing,
            partitions => AcceptLoss::Of(partitions),
        })
    }
}

fn partition(text: &str) -> Result<(String, u32), String> {
    let parsed = text
        .rsplit_once('-')
        .and_then(|(topic, index)| Some((topic.to_owned(), index.parse().ok()?)));
    parsed.filter(|(topic, _)| !topic.is_empty()).ok_or_else(|| {
        format!(
            "--accept-loss {text} names no partition. Fix: TOPIC-PARTITION as the log names it, or all"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_as_in_the_log() {
        let of = |topic: &str, index| AcceptLoss::Of(vec![(topic.to_owned(), index)]);
        let cases = [
            (vec![], Some(AcceptLoss::Nothing)),
            (vec!["orders-0"], Some(of("orders", 0))),
            (vec!["orders-eu-12"], Some(of("orders-eu", 12))),
            (vec!["all-3"], Some(of("all", 3))),
            (vec!["orders-0", "all"], Some(AcceptLoss::All)),
            (vec!["orders"], None),
            (vec!["orders-"], None),
            (vec!["-1"], None),
            (vec!["orders-x"], None),
        ];
        for (typed, expected) in cases {
            let typed: Vec<String> = typed.into_iter().map(str::to_owned).collect();
            assert_eq!(AcceptLoss::parse(&typed).ok(), expected, "{typed:?}");
        }
    }
}
