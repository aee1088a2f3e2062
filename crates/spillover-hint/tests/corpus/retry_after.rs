use http::HeaderValue;

use crate::{MAX, check_values, millis, nanos, secs, wait_from};

const RETRY_AFTER: &str = "retry-after";

/// Values of OpenAI, Azure, Anthropic, Groq and Mistral.
#[test]
fn retry_after_values_of_vendors_are_read() {
    check_values(
        RETRY_AFTER,
        &[
            ("1", secs(1)),
            ("2", secs(2)),
            ("7.66", millis(7_660)),
            ("26", secs(26)),
            ("45", secs(45)),
            ("86400", secs(86_400)),
        ],
    );
}

#[test]
fn numbers_are_read_as_seconds() {
    check_values(
        RETRY_AFTER,
        &[
            ("0", secs(0)),
            ("00", secs(0)),
            ("0.0", secs(0)),
            ("30", secs(30)),
            (" 30 ", secs(30)),
            ("\t30", secs(30)),
            ("030", secs(30)),
            ("+5", secs(5)),
            ("0.5", millis(500)),
            (".5", millis(500)),
            ("5.", secs(5)),
            ("1.146", millis(1_146)),
            ("11.054", millis(11_054)),
            ("34.074824224", nanos(34_074_824_224)),
            ("0.0000000019", nanos(1)),
            ("33011.382867097855", nanos(33_011_382_867_097)),
            ("\"30\"", secs(30)),
        ],
    );
}

/// Very small and very large floats, as JavaScript and Python print them.
#[test]
fn numbers_may_have_exponents() {
    check_values(
        RETRY_AFTER,
        &[
            ("1e3", secs(1_000)),
            ("1E3", secs(1_000)),
            ("1e+3", secs(1_000)),
            ("1.5e1", secs(15)),
            ("1e-05", nanos(10_000)),
            ("5e-324", secs(0)),
            ("0e400", secs(0)),
            ("1e-99999999999999999999", secs(0)),
            ("1e-4294967296", secs(0)),
            ("1e", None),
            ("1e+", None),
            ("e3", None),
            ("1e3.5", None),
        ],
    );
}

#[test]
fn too_large_number_is_the_longest_wait() {
    check_values(
        RETRY_AFTER,
        &[
            ("99999999999999999999", Some(MAX)),
            ("184467440737095516160", Some(MAX)),
            ("99999999999999999999.5", Some(MAX)),
            ("1e21", Some(MAX)),
            ("1e400", Some(MAX)),
            ("1e99999999999999999999", Some(MAX)),
            ("1e4294967296", Some(MAX)),
            ("9999999999999999999999h", Some(MAX)),
            ("1e400h1s", Some(MAX)),
        ],
    );
    let wait = wait_from(RETRY_AFTER, b"18446744073709551615").expect("a wait");
    assert_eq!(wait.as_secs(), 18_446_744_073_709_551_610);
}

#[test]
fn sixty_four_kibibytes_of_digits_are_the_longest_wait() {
    let len = 64 * 1024;
    let digits = vec![b'9'; len];
    assert_eq!(wait_from(RETRY_AFTER, &digits), Some(MAX));

    let mut zeros = vec![b'0'; len];
    zeros.extend(b"30");
    assert_eq!(wait_from(RETRY_AFTER, &zeros), secs(30));

    let mut fraction = b"1.5".to_vec();
    fraction.extend(vec![b'0'; len]);
    assert_eq!(wait_from(RETRY_AFTER, &fraction), millis(1_500));

    let units = b"1s".repeat(len / 2);
    assert_eq!(wait_from(RETRY_AFTER, &units), secs(len as u64 / 2));

    let mut list = b"1, ".repeat(len / 3);
    list.extend(b"2");
    assert_eq!(wait_from(RETRY_AFTER, &list), secs(2));

    assert_eq!(wait_from(RETRY_AFTER, &vec![b'x'; len]), None);
    assert_eq!(wait_from(RETRY_AFTER, &vec![b','; len]), None);
}

#[test]
fn durations_with_units_are_read() {
    check_values(
        RETRY_AFTER,
        &[
            ("120s", secs(120)),
            ("120 s", secs(120)),
            ("120sec", secs(120)),
            ("2 minutes", secs(120)),
            ("2m 13s", secs(133)),
            ("6m0s", secs(360)),
            ("1h2m3s", secs(3_723)),
            ("1h", secs(3_600)),
            ("90m", secs(5_400)),
            ("577.5ms", nanos(577_500_000)),
            ("2m28.608s", millis(148_608)),
            ("1.5h", secs(5_400)),
            // Go adds repeated units.
            ("1s1s", secs(2)),
            ("1m30", None),
            ("m", None),
            ("s", None),
            ("-5s", None),
            ("1m-5s", None),
            ("120S", None),
            ("1 fortnight", None),
        ],
    );
}

#[test]
fn microseconds_are_read_in_every_spelling() {
    let table: [&[u8]; 4] = [
        b"1.5us",
        "1.5\u{b5}s".as_bytes(),
        "1.5\u{3bc}s".as_bytes(),
        b"1.5\xb5s",
    ];
    for value in table {
        assert_eq!(wait_from(RETRY_AFTER, value), nanos(1_500), "{value:?}");
    }
}

#[test]
fn invalid_value_is_ignored() {
    let words = [
        "",
        " ",
        "-0",
        "-1",
        "-5",
        "- 5",
        "--5",
        "++5",
        "1_000",
        "1,000",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "null",
        "undefined",
        "None",
        ".",
        "+",
        "1.2.3",
        "0x1e",
        "30;foo",
        "30 60",
        "\"",
        "\"30",
        "\"\"",
        "later",
    ];
    for value in words {
        assert_eq!(wait_from(RETRY_AFTER, value.as_bytes()), None, "{value:?}");
    }

    let bytes: [&[u8]; 4] = [b"\xff", b"30\xff", "３０".as_bytes(), "30\u{a0}".as_bytes()];
    for value in bytes {
        assert_eq!(wait_from(RETRY_AFTER, value), None, "{value:?}");
    }
}

/// The `http` crate rejects NUL and line breaks before this crate sees them.
#[test]
fn field_value_with_control_bytes_cannot_be_built() {
    for value in [&b"30\0"[..], b"30\r\n", b"\x7f"] {
        assert!(HeaderValue::from_bytes(value).is_err(), "{value:?}");
    }
}

#[test]
fn longest_of_several_values_is_chosen() {
    check_values(
        RETRY_AFTER,
        &[
            ("30, 60", secs(60)),
            ("60, 30", secs(60)),
            ("0, 1.5", millis(1_500)),
            ("30,60", None),
            ("30, ", None),
            (", 30", None),
            ("30, later", None),
            ("30, -1", None),
        ],
    );
}
