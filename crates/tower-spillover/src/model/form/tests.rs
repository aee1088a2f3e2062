use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn boundary() -> Boundary {
    let content_type = HeaderValue::from_static("multipart/form-data; boundary=xx");
    Boundary::of_content_type(&content_type).unwrap()
}

/// Scans a form that comes in these chunks.
fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, is_decisive: bool) -> FormScan {
    let mut scan = FormScan::new(boundary(), is_decisive);
    for chunk in chunks {
        if scan.scan(chunk) {
            return scan;
        }
    }
    scan.finish();
    scan
}

/// Returns the model, and whether the form is ambiguous. Asserts that the result is the same for all chunk sizes.
fn read_form(form: &str, is_decisive: bool) -> (Option<String>, bool) {
    let result = |scan: FormScan| {
        let is_ambiguous = scan.is_ambiguous();
        let (model, _) = scan.into_extracted();
        let model = model.and_then(|value| Some((value.text?, value.range)));
        if let Some((model, range)) = &model {
            assert_eq!(&form[range.clone()], model, "{form}");
        }
        (model.map(|(model, _)| model), is_ambiguous)
    };
    let whole = result(scan([form.as_bytes()], is_decisive));
    for cut in 0..=form.len() {
        let (start, end) = form.as_bytes().split_at(cut);
        assert_eq!(
            result(scan([start, end], is_decisive)),
            whole,
            "{cut}: {form}"
        );
    }
    let bytes = form.as_bytes().chunks(1);
    assert_eq!(result(scan(bytes, is_decisive)), whole, "{form}");
    whole
}

fn part(name: &str, value: &str) -> String {
    format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn model_is_read_before_and_after_a_file() {
    let file = "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\nRIFF\r\n-\r\n--x\r\n\r\n--y \0\r\n";
    let model = part("model", "whisper-1");
    for form in [
        format!("{model}{file}--xx--\r\n"),
        format!("{file}{model}--xx--\r\n"),
        format!("preamble\r\n{file}{model}--xx--\r\nepilogue\r\n"),
        format!("\r\n{file}{model}--xx-- \t"),
    ] {
        let expected = (Some("whisper-1".to_owned()), false);
        assert_eq!(read_form(&form, true), expected, "{form}");
        assert_eq!(read_form(&form, false), expected, "{form}");
    }
}

#[test]
fn form_with_lf_line_breaks_is_read() {
    let form = part("model", "a") + &part("n", "1") + "--xx--\r\n";
    assert_eq!(
        read_form(&form.replace('\r', ""), true),
        (Some("a".to_owned()), false)
    );
}

#[test]
fn empty_model_and_model_with_line_breaks_are_read() {
    for (value, expected) in [("", ""), ("a\r\nb", "a\r\nb"), ("\r\n", "\r\n"), ("-", "-")] {
        let form = part("model", value) + "--xx--";
        assert_eq!(read_form(&form, true), (Some(expected.to_owned()), false));
    }
    // A part without content may end with the line break of its head.
    let form = "--xx\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n--xx--\r\n";
    assert_eq!(read_form(form, true), (Some(String::new()), false));
}

#[test]
fn form_without_a_model_part_has_no_model() {
    for form in [
        "",
        "--xx--\r\n",
        "no form at all",
        "{\"model\":\"a\"}",
        &(part("models", "a") + &part("file", "name=\"model\"") + "--xx--\r\n"),
        &part("model", "a").replace("--xx", "--yy"),
    ] {
        assert_eq!(read_form(form, true), (None, false), "{form}");
    }
}

#[test]
fn form_that_parsers_read_differently_is_ambiguous_if_the_model_is_decisive() {
    let end = "--xx--\r\n";
    let model = part("model", "cheap");
    let dear = part("model", "dear");
    for form in [
        format!("{model}{dear}{end}"),
        format!("{model}{}{end}", part("MODEL", "dear")),
        format!("{model}{}{end}", part("mo\\del", "dear")),
        // Some parsers read the delimiter line as content of the part before.
        format!("{model}--xxy\r\n\r\n{end}"),
        format!("{model}{end}{dear}{end}"),
        format!("{model}--xx--y\r\n"),
        format!("{model}--xx\r\nContent-Disposition: form-data; name=\"n\"\r\n{dear}{end}"),
        dear,
    ] {
        assert!(read_form(&form, true).1, "{form}");
        assert!(!read_form(&form, false).1, "{form}");
    }
    let binary = b"--xx\r\nContent-Disposition: form-data; name=model\r\n\r\n\xff\r\n--xx--";
    assert!(scan([&binary[..]], true).is_ambiguous());
}

#[test]
fn buffer_of_a_form_scan_is_bounded() {
    let long = "x".repeat(1 << 20);
    for form in [
        format!("--xx\r\n{long}"),
        format!("--xx{}", " ".repeat(1 << 20)),
        part("model", &long) + "--xx--\r\n",
    ] {
        for size in [1 << 20, 1000] {
            let scan = scan(form.as_bytes().chunks(size), true);
            assert!(scan.is_ambiguous(), "{form:.20}");
            assert!(scan.buffer.capacity() <= 4 * LONGEST);
        }
    }
    let file = part("file", &long) + &part("model", "a") + "--xx--";
    let scan = scan(file.as_bytes().chunks(1000), true);
    assert_eq!(scan.model(), Some("a"));
    assert!(scan.buffer.capacity() <= 4 * LONGEST);
}

#[test]
fn position_for_a_new_part_is_that_of_the_first_delimiter() {
    for (form, expected) in [
        (part("n", "1") + "--xx--", Some(0)),
        (format!("preamble\r\n{}--xx--", part("n", "1")), Some(10)),
        ("--xx--".to_owned(), Some(0)),
        ("--x".to_owned(), None),
    ] {
        let (_, insert) = scan([form.as_bytes()], true).into_extracted();
        assert_eq!(insert.map(|(at, _)| at), expected, "{form}");
    }
}

proptest! {
    #[test]
    fn model_is_read_from_any_form(
        parts in prop::collection::vec(("[a-z]{1,4}", "[-xa\r\n]{0,12}"), 0..4),
        model in "[-a-z\r\n]{0,8}",
        at in 0_usize..4,
        size in 1_usize..40,
    ) {
        let mut parts: Vec<_> = parts.iter().map(|(name, value)| part(name, value)).collect();
        parts.insert(at.min(parts.len()), part("model", &model));
        let form = parts.concat() + "--xx--\r\n";
        prop_assume!(form.matches("--xx").count() == parts.len() + 1);
        let scan = scan(form.as_bytes().chunks(size), true);
        prop_assert_eq!(scan.model(), Some(&*model));
        prop_assert!(!scan.is_ambiguous());
    }
}
