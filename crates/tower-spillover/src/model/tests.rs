//! Tests of the layer over a service that records the requests it gets.

use std::{convert::Infallible, sync::mpsc, task::Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use spillover_core::Scope;
use spillover_testing::{
    Probe,
    coding::{CODINGS, encoded},
};
use tokio_test::task;
use tower::ServiceExt;
use tower_layer::Layer;

use super::{budget::Budget, scan::BodyFormat, *};
use crate::coding::Coding;

/// A request as the inner service gets it: its scope, the extracted fields and the body.
struct Passed {
    scope: Option<Scope>,
    extracted: Option<Extracted>,
    body: Bytes,
}

impl Passed {
    fn model(&self) -> Option<&str> {
        self.extracted.as_ref()?.model()
    }

    fn unreadable_reason(&self) -> Option<&Unreadable> {
        self.extracted.as_ref()?.unreadable_reason()
    }
}

const ROUTED: Uses = Uses {
    is_routed: true,
    is_replaced: false,
    is_replaced_beside_path: false,
};

/// Returns the status of the response, and the request as the inner service got it. `None` if the request was rejected.
fn pass<B>(fields: &Fields, request: Request<B>) -> (u16, Option<Passed>)
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let (send, passed) = mpsc::channel();
    let inner: Probe<_, Full<Bytes>, Infallible> =
        Probe::new(move |request: Request<ReadBody<B>>| {
            let send = send.clone();
            async move {
                let (head, body) = request.into_parts();
                let Ok(body) = body.collect().await;
                let passed = Passed {
                    scope: head.extensions.get().copied(),
                    extracted: head.extensions.get().cloned(),
                    body: body.to_bytes(),
                };
                send.send(passed).unwrap();
                Ok(Response::default())
            }
        });
    let service = ModelScopeLayer::new(fields.clone()).layer(inner);
    let Poll::Ready(Ok(response)) = task::spawn(service.oneshot(request)).poll() else {
        panic!("the probe responds at once");
    };
    (response.status().as_u16(), passed.try_recv().ok())
}

/// Sends a request whose body comes in chunks of `size` bytes. Asserts that the body passes unchanged.
fn read(uses: Uses, fields: &[(&str, &str)], body: &[u8], size: usize) -> Passed {
    let extracted_fields = Fields::new(["user"], uses);
    let chunks: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)));
    let mut request = Request::post("/v1/chat/completions");
    for &(name, value) in fields {
        request = request.header(name, value);
    }
    let request = request.body(StreamBody::new(stream::iter(frames))).unwrap();
    let (status, passed) = pass(&extracted_fields, request);
    assert_eq!(status, 200);
    let passed = passed.unwrap();
    assert_eq!(passed.body, body);
    passed
}

const JSON: (&str, &str) = ("content-type", "application/json");
const CHAT: &str = r#"{"n":1,"model":"gpt-4o","user":"me"}"#;

#[test]
fn model_and_fields_are_read_from_coded_bodies_which_pass_unchanged() {
    for coding in CODINGS {
        let body = encoded(coding, CHAT);
        let fields = [JSON, ("content-encoding", coding)];
        for uses in [Uses::default(), ROUTED] {
            for size in 1..=body.len() {
                let passed = read(uses, &fields, &body, size);
                assert_eq!(
                    passed.scope,
                    Some(Scope::named("gpt-4o")),
                    "{coding} {size}"
                );
                assert_eq!(passed.model(), Some("gpt-4o"));
                assert_eq!(passed.extracted.unwrap().field("user"), Some("me"));
            }
        }
    }
}

#[test]
fn token_counting_request_has_its_own_scope() {
    let fields = Fields::new([], ROUTED);
    let scope = |path: &str| {
        let request = Request::post(path).header(JSON.0, JSON.1);
        let body = StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from(CHAT)))]));
        let (_, passed) = pass(&fields, request.body(body).unwrap());
        let passed = passed.unwrap();
        assert_eq!(passed.model(), Some("gpt-4o"));
        passed.scope.unwrap()
    };
    let counting = scope("/v1/messages/count_tokens");
    assert_eq!(counting, scope("/v1/responses/input_tokens"));
    assert_ne!(counting, scope("/v1/messages"));
    assert_eq!(scope("/v1/messages"), Scope::named("gpt-4o"));
}

#[test]
fn body_is_not_decoded_after_the_last_field() {
    let mut body = encoded("gzip", CHAT);
    // The corrupt part comes after all fields.
    let end = body.len() - 1;
    body[end] ^= 1;
    body.extend_from_slice(b"\x1f\x8bgarbage");
    let fields = [JSON, ("content-encoding", "gzip")];
    let passed = read(Uses::default(), &fields, &body, 8);
    assert_eq!(passed.model(), Some("gpt-4o"));
}

#[test]
fn corrupt_body_is_reported_as_unreadable_if_the_model_is_decisive() {
    for coding in CODINGS {
        let name = coding.parse::<HeaderValue>().unwrap();
        let headers = http::HeaderMap::from_iter([(CONTENT_ENCODING, name)]);
        let known = Coding::of(&headers).unwrap().unwrap();
        let fields = [JSON, ("content-encoding", coding)];
        let whole = encoded(coding, CHAT);
        let corrupt = [&b"\x01\xffgarbage"[..], &whole].concat();
        for body in [
            &whole[..whole.len() - 1],
            &whole[..5],
            CHAT.as_bytes(),
            b"",
            &corrupt,
        ] {
            let passed = read(ROUTED, &fields, body, 7);
            let expected = Unreadable::Corrupt(known);
            assert_eq!(passed.unreadable_reason(), Some(&expected), "{coding}");
            assert_eq!(passed.model(), None);

            let passed = read(Uses::default(), &fields, body, 7);
            assert_eq!(passed.unreadable_reason(), None);
        }
    }
}

#[test]
fn decompression_bomb_is_not_decoded_to_its_end() {
    let spaces = [br#"{"model":"a","x":""#, vec![b' '; 4 << 20].as_slice()].concat();
    for coding in CODINGS {
        let body = encoded(coding, &spaces);
        let fields = [JSON, ("content-encoding", coding)];
        let passed = read(ROUTED, &fields, &body, 16 << 10);
        let reason = passed.unreadable_reason();
        assert!(matches!(reason, Some(Unreadable::TooLarge(_))), "{coding}");
        // The model is not decisive: the decoder stops after it.
        assert_eq!(
            read(Uses::default(), &fields, &body, 16 << 10).model(),
            Some("a")
        );
    }
}

#[test]
fn body_above_the_limit_when_decoded_is_too_large() {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (state >> 24) as u8 % 4
    })
    .take(33 << 20)
    .collect();
    let text = [br#"{"model":"a","x":""#, noise.as_slice(), b"\"}"].concat();
    let fields = [JSON, ("content-encoding", "zstd")];
    let passed = read(ROUTED, &fields, &encoded("zstd", &text), 64 << 10);
    let reason = passed.unreadable_reason();
    assert_eq!(reason, Some(&Unreadable::TooLarge(Coding::Zstd)));
}

#[test]
fn memory_of_all_decoders_together_is_bounded() {
    let text = format!(r#"{{"model":"a","x":"{}"}}"#, "0123456789 ".repeat(50));
    let fields = Fields::new([], ROUTED).with_budget(Budget::new(text.len() * 3 / 2));
    let status = |held: &mut Vec<Passed>| {
        let request = Request::post("/v1/x")
            .header(CONTENT_TYPE, JSON.1)
            .header(CONTENT_ENCODING, "gzip")
            .body(Full::from(encoded("gzip", &text)));
        let (status, passed) = pass(&fields, request.unwrap());
        held.extend(passed);
        status
    };
    let mut held = Vec::new();
    assert_eq!(status(&mut held), 200);
    assert_eq!(status(&mut held), 503);
    held.clear();
    assert_eq!(status(&mut held), 200);
}

#[test]
fn unreadable_reason_names_an_unknown_coding() {
    for fields in [
        &[("content-encoding", "compress")][..],
        &[("content-encoding", "gzip, compress")],
        &[("content-encoding", "gzip, gzip")],
        &[
            ("content-encoding", "gzip"),
            ("content-encoding", "compress"),
        ],
    ] {
        let values: Vec<_> = fields.iter().map(|(_, value)| *value).collect();
        let fields = [&[JSON], fields].concat();
        let passed = read(ROUTED, &fields, CHAT.as_bytes(), 99);
        let reason = passed.unreadable_reason().unwrap();
        assert_eq!(*reason, Unreadable::Coding(values.join(", ").into()));
        assert!(
            read(Uses::default(), &fields, CHAT.as_bytes(), 99)
                .extracted
                .is_none()
        );
    }
    let long = "é".repeat(100);
    let mut headers = http::HeaderMap::new();
    headers.insert(
        CONTENT_ENCODING,
        HeaderValue::from_bytes(long.as_bytes()).unwrap(),
    );
    let expected = Unreadable::Coding("é".repeat(60).into());
    assert_eq!(Unreadable::of_coding(&headers), expected);
}

#[test]
fn second_model_in_a_coded_body_or_form_is_rejected() {
    let json = r#"{"model":"cheap","model":"dear"}"#;
    let form = form(&[("model", "cheap"), ("model", "dear")]);
    let fields = Fields::new([], ROUTED);
    for coding in CODINGS {
        for (kind, body) in [(JSON.1, json), (FORM.1, &form)] {
            let request = Request::post("/v1/x")
                .header(CONTENT_TYPE, kind)
                .header(CONTENT_ENCODING, coding)
                .body(Full::from(encoded(coding, body)));
            assert_eq!(pass(&fields, request.unwrap()).0, 400, "{coding} {kind}");
        }
    }
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=xx");

fn form(parts: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<String>() + "--xx--\r\n"
}

#[test]
fn model_after_a_file_in_a_form_is_the_scope() {
    let file = "RIFF\n--x".repeat(1 << 18);
    let body = form(&[("file", &file), ("model", "whisper-1"), ("n", "1")]);
    for uses in [Uses::default(), ROUTED] {
        let passed = read(uses, &[FORM], body.as_bytes(), 16 << 10);
        // A model after 1 MiB is read only if it is decisive.
        let expected = uses.is_routed.then_some("whisper-1");
        assert_eq!(passed.model(), expected);
        let passed = read(uses, &[FORM], &body.as_bytes()[3 << 19..], 16 << 10);
        assert_eq!(passed.scope, Some(Scope::named("whisper-1")));
    }
    let gzip = [FORM, ("content-encoding", "gzip")];
    let end = &body.as_bytes()[3 << 19..];
    let passed = read(ROUTED, &gzip, &encoded("gzip", end), 999);
    assert_eq!(passed.model(), Some("whisper-1"));
}

#[test]
fn missing_boundary_or_second_content_type_is_unreadable() {
    let body = form(&[("model", "a")]);
    let no_boundary = ("content-type", "multipart/form-data");
    let passed = read(ROUTED, &[no_boundary], body.as_bytes(), 99);
    assert_eq!(passed.unreadable_reason(), Some(&Unreadable::Boundary));
    assert_eq!(passed.scope, Some(Scope::named("/v1/chat/completions")));
    for fields in [[JSON, FORM], [FORM, JSON]] {
        let passed = read(ROUTED, &fields, body.as_bytes(), 99);
        assert_eq!(passed.unreadable_reason(), Some(&Unreadable::Types));
        assert!(
            read(Uses::default(), &fields, body.as_bytes(), 99)
                .extracted
                .is_none()
        );
    }
}

#[test]
fn only_posted_json_and_forms_up_to_the_limit_are_read() {
    let is_read = |method: &str, kind: &str, length: u64| {
        let request = Request::builder()
            .method(method)
            .header(CONTENT_TYPE, kind)
            .header(CONTENT_LENGTH, length)
            .body(())
            .unwrap();
        BodyFormat::of_request(&request, 1 << 20).unwrap().is_some()
    };
    let kind = "Application/JSON; charset=utf-8";
    assert!(is_read("POST", kind, 1 << 20));
    assert!(is_read("POST", "Multipart/Form-Data; boundary=a", 9));
    assert!(!is_read("POST", "text/plain", 9));
    assert!(!is_read("POST", kind, (1 << 20) + 1));
    assert!(!is_read("PUT", kind, 9));
}

#[test]
fn body_is_read_beside_a_deployment_in_the_path_only_if_its_model_is_replaced() {
    let path = "/openai/deployments/d/chat/completions";
    let extracted_for = |uses: Uses| {
        let request = Request::post(path).header(CONTENT_TYPE, JSON.1);
        let request = request.body(Full::<Bytes>::from(CHAT)).unwrap();
        pass(&Fields::new([], uses), request).1.unwrap().extracted
    };
    let replaced = Uses {
        is_replaced: true,
        ..ROUTED
    };
    assert!(extracted_for(replaced).is_none());
    let beside_path = Uses {
        is_replaced_beside_path: true,
        ..Uses::default()
    };
    let extracted = extracted_for(beside_path).unwrap();
    assert_eq!(extracted.model(), Some("gpt-4o"));
    assert!(extracted.is_in_path());
}

/// Returns the body after the model was inserted.
fn insert_model(kind: &'static str, body: &str, model: &str) -> Option<String> {
    let request = Request::post("/v1/x").header(CONTENT_TYPE, kind);
    let request = request.body(Full::from(Bytes::copy_from_slice(body.as_bytes())));
    let (_, passed) = pass(&Fields::new([], ROUTED), request.unwrap());
    let edit = passed?.extracted?.edit_to_insert(&ModelName::new(model))?;
    let mut body = body.to_owned();
    body.replace_range(edit.range, str::from_utf8(&edit.text).unwrap());
    Some(body)
}

#[test]
fn model_is_inserted_into_json_without_one() {
    for (body, expected) in [
        (r#"{"n":1}"#, Some(r#"{"model":"a\"b","n":1}"#)),
        (
            " { \"n\" : [] }",
            Some(" {\"model\":\"a\\\"b\", \"n\" : [] }"),
        ),
        ("{}", Some(r#"{"model":"a\"b"}"#)),
        ("{\n}", Some("{\"model\":\"a\\\"b\"\n}")),
        (r#"{"n":1,"model":"x"}"#, Some(r#"{"n":1,"model":"a\"b"}"#)),
        (r#"{"model":null}"#, None),
        (r#"{"model":{"model":"x"}}"#, None),
        ("[{}]", None),
        ("", None),
        ("null", None),
    ] {
        assert_eq!(
            insert_model(JSON.1, body, "a\"b").as_deref(),
            expected,
            "{body}"
        );
    }
}

#[test]
fn model_is_inserted_into_forms_without_one() {
    let model = ("model", "m");
    for (before, after) in [
        (form(&[("n", "1")]), form(&[model, ("n", "1")])),
        (form(&[]), form(&[model])),
        (
            form(&[("n", "1"), ("model", "long")]),
            form(&[("n", "1"), model]),
        ),
        (form(&[("model", "")]), form(&[model])),
        (
            format!("pre\r\n{}", form(&[])),
            format!("pre\r\n{}", form(&[model])),
        ),
    ] {
        assert_eq!(insert_model(FORM.1, &before, "m"), Some(after), "{before}");
    }
    assert_eq!(insert_model(FORM.1, "no form", "m"), None);
    let other_part = "m\r\n--xx\r\nContent-Disposition: form-data; name=n\r\n\r\n1";
    assert_eq!(insert_model(FORM.1, &form(&[]), other_part), None);
}
