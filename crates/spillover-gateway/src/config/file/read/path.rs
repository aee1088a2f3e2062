use std::fmt;

/// Where in the document: `pools[0].backends[1].url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        self.join(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.join(Segment::Index(index))
    }

    /// The same path, of which this is the outermost segment.
    pub(super) fn under(mut self, segment: Segment) -> Self {
        self.0.insert(0, segment);
        self
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0
    }

    pub(crate) fn is_under(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    fn join(&self, segment: Segment) -> Self {
        let mut path = self.clone();
        path.0.push(segment);
        path
    }
}

impl From<Segment> for Path {
    fn from(segment: Segment) -> Self {
        Self(vec![segment])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(if is_harmless(key) { key } else { "?" })?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a key may be printed: a secret in the place of a key mostly has digits, is long or mixes cases.
fn is_harmless(key: &str) -> bool {
    let is_word = key
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-');
    let is_status = key.len() == 3 && key.bytes().all(|b| b.is_ascii_digit());
    (is_word && (1..=40).contains(&key.len())) || is_status || key == "sha256"
}
