//! Properties of a body with any script, read by any number of clones in any order.

use std::iter;

use proptest::prelude::*;

use super::*;

const SCRIPT: usize = 8;
const CLONES: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Data(usize),
    Pending,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Data,
    Trailers,
    Error,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Poll,
    Clone,
    Drop,
}

/// A clone, and the frames that it has read.
struct Reader {
    body: ReplayBody<ScriptedBody>,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    end: Option<Result<(), ReplayError>>,
}

impl Reader {
    fn new(body: ReplayBody<ScriptedBody>) -> Self {
        Self {
            body,
            data: Vec::new(),
            trailers: None,
            end: None,
        }
    }

    fn poll(&mut self) {
        let Poll::Ready(frame) = poll(&mut self.body) else {
            return;
        };
        match frame {
            _ if self.end.is_some() => assert!(frame.is_none(), "a frame after the end"),
            None => self.end = Some(Ok(())),
            Some(Err(error)) => self.end = Some(Err(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(chunk) => self.data.extend_from_slice(&chunk),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            },
        }
    }

    fn check(&self, original: &Original) {
        assert!(original.data.starts_with(&self.data));
        let is_whole = self.data == original.data && self.trailers == original.trailers();
        match &self.end {
            Some(Ok(())) => assert!(is_whole, "ended before its end"),
            Some(Err(error)) if error.is_source() => {
                assert!(matches!(original.end, End::Error));
            }
            Some(Err(_)) => assert!(!self.body.is_replayable()),
            None if self.body.is_replayable() => {
                let left = (original.data.len() - self.data.len()) as u64;
                assert_eq!(self.body.size_hint().exact(), Some(left));
                assert!(!self.body.is_end_stream() || is_whole);
            }
            None => {}
        }
    }
}

struct Original {
    data: Vec<u8>,
    end: End,
}

impl Original {
    fn trailers(&self) -> Option<HeaderMap> {
        matches!(self.end, End::Trailers).then(trailers)
    }
}

/// Creates a body that plays the script. The bytes of each data step differ from those of the steps before.
fn play(steps: &[Step], end: End) -> (ScriptedBody, Original) {
    let mut body = ScriptedBody::new().with_exact_size();
    let mut data = Vec::new();
    for (number, step) in (b'a'..).zip(steps) {
        match step {
            Step::Data(len) => {
                let chunk = vec![number; *len];
                data.extend_from_slice(&chunk);
                body = body.data(chunk);
            }
            Step::Pending => body = body.pending(),
        }
    }
    body = match end {
        End::Data => body,
        End::Trailers => body.trailers(trailers()),
        End::Error => body.error("reset"),
    };
    (body, Original { data, end })
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => (0..6_usize).prop_map(Step::Data), 1 => Just(Step::Pending)];
    prop::collection::vec(step, 0..SCRIPT)
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![2 => Just(End::Data), 1 => Just(End::Trailers), 1 => Just(End::Error)]
}

fn actions() -> impl Strategy<Value = Vec<(Action, usize)>> {
    let action =
        prop_oneof![8 => Just(Action::Poll), 1 => Just(Action::Clone), 1 => Just(Action::Drop)];
    prop::collection::vec((action, 0..CLONES), 0..64)
}

/// Creates limits of the bytes recorded per request: none, some, or all.
fn limit() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 0..400_usize, Just(usize::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn body_read_to_its_end_is_the_original(
        steps in script(), end in end(), limit in limit(), actions in actions(),
    ) {
        let limits = ReplayLimits::default().per_request(limit).total(1000);
        let (source, original) = play(&steps, end);
        let mut readers = vec![Reader::new(ReplayBody::new(source, limits.clone()))];

        for (action, index) in actions {
            let index = index % readers.len();
            match action {
                Action::Poll => readers[index].poll(),
                Action::Clone if readers.len() < CLONES => {
                    let clone = readers[index].body.clone();
                    readers.push(Reader::new(clone));
                }
                Action::Drop if readers.len() > 1 => drop(readers.swap_remove(index)),
                Action::Clone | Action::Drop => {}
            }
            for reader in &readers {
                reader.check(&original);
            }
        }
        drop(readers);
        prop_assert!(is_free(&limits, 1000));
    }

    #[test]
    fn latest_attempt_sends_the_whole_body(
        steps in script(), end in end(), polls in prop::collection::vec(0..SCRIPT, 1..CLONES),
    ) {
        let (source, original) = play(&steps, end);
        let mut kept = replay(source);
        let mut earlier = Vec::new();
        for polls in polls {
            let next = kept.clone();
            let mut reader = Reader::new(std::mem::replace(&mut kept, next));
            iter::repeat_n((), polls).for_each(|()| reader.poll());
            earlier.push(reader);
        }

        if kept.is_replayable() {
            let mut latest = Reader::new(kept);
            while latest.end.is_none() {
                latest.poll();
                earlier.iter_mut().for_each(Reader::poll);
                latest.check(&original);
            }
            let is_whole = matches!(latest.end, Some(Ok(())));
            prop_assert_eq!(is_whole, !matches!(end, End::Error));
        } else {
            prop_assert!(matches!(end, End::Error), "not replayable without an error");
        }
    }
}
