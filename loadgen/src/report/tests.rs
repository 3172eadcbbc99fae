//! What must hold of a page whatever is in the results.

use super::page::page;
use crate::result::RunResult;
use crate::samples::{samples, void};

fn runs() -> Vec<RunResult> {
    samples().into_iter().map(|(_, run)| run).collect()
}

/// The text of a data element, as a browser cuts it out.
fn data<'a>(page: &'a str, id: &str) -> &'a str {
    let start = format!("<script type=\"application/json\" id=\"{id}\">");
    let (_, rest) = page.split_once(&start).expect("the element");
    rest.split("</script>").next().expect("its end")
}

#[test]
fn the_results_can_be_read_back_out_of_the_page() {
    let runs = runs();
    let page = page(&runs);
    let back: Vec<RunResult> = serde_json::from_str(data(&page, "runs")).expect("results");
    let text = |runs: &[RunResult]| serde_json::to_string(runs).expect("plain data");
    assert!(text(&back) == text(&runs));
    let curves: serde_json::Value =
        serde_json::from_str(data(&page, "distributions")).expect("curves");
    assert_eq!(curves.as_array().map(Vec::len), Some(3));
}

#[test]
fn nothing_of_the_page_comes_from_elsewhere() {
    let page = page(&runs());
    for address in [
        "http://", "https://", "src=", "@import", "url(", "<link", "<iframe",
    ] {
        // The hostile finding of a sample is text.
        let found = page.matches(address).count()
            - page.matches("&lt;img src=x").count() * usize::from(address == "src=");
        let data = data(&page, "runs").matches(address).count();
        assert_eq!(found - data, 0, "{address}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn text_of_a_result_is_never_markup() {
    let run = void();
    let page = page(std::slice::from_ref(&run));
    assert_eq!(
        page.matches("<script").count(),
        4,
        "three of data and one of ours"
    );
    assert_eq!(page.matches("</script").count(), 4);
    for markup in ["<b>disconnected", "<img", "<script>document", "\u{1b}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert!(page.contains("&lt;b&gt;disconnected&lt;/b&gt;"));
}

#[test]
fn a_void_run_and_a_failed_verification_come_before_every_figure() {
    let page = page(&[void(), samples().remove(0).1]);
    let overview = page.find("id=\"overview\"").expect("an overview");
    for alarm in [
        "Void: do not use these figures",
        "a busy machine",
        "3 lost, 1 duplicated",
    ] {
        assert!(page.find(alarm).is_some_and(|at| at < overview), "{alarm}");
    }
}

#[test]
fn every_row_of_a_comparison_states_its_durability() {
    let runs = runs();
    let page = page(&runs[..3]);
    for table in page.split("<table>").skip(1) {
        let table = table.split("</table>").next().expect("its end");
        let (head, body) = table.split_once("<tbody>").expect("a body");
        assert!(head.contains(">Durability<"), "{head}");
        for row in body.split("<tr>").skip(1) {
            let stated = ["page cache", "flushed", "not stated"]
                .iter()
                .any(|class| row.contains(class));
            assert!(stated, "{row}");
        }
    }
}

#[test]
fn rounds_of_one_kind_share_a_row_of_medians() {
    let all = runs();
    let [ottla, kafka, _, _, _, ottla_again, kafka_again] = all.as_slice() else {
        panic!("seven samples");
    };
    let page = page(&[ottla, kafka, ottla_again, kafka_again].map(RunResult::clone));
    let (_, rounds) = page
        .split_once("Rounds together")
        .expect("the table of rounds");
    let rounds = rounds.split("</table>").next().expect("its end");
    assert_eq!(rounds.matches("<tr>").count(), 3, "a heading and two kinds");
    assert!(page.contains("ottla #2"));
}
