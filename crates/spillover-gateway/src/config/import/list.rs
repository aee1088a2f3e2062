use super::tokens::{Placed, Token, tokens};

/// An object of a list: `new JObject() { { "url", "https://..." }, { "priority", 1 } }`.
#[derive(Debug)]
pub(super) struct Object {
    /// Lines of the expression before it.
    pub(super) line: usize,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Value,
}

/// What a field is set to.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Number(u32),
    /// An expression.
    Other,
}

/// The objects that an expression makes.
pub(super) fn objects(expression: &str) -> Vec<Object> {
    let tokens = tokens(expression);
    let mut objects = Vec::new();
    let mut rest = &*tokens;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if !first.is_word("new") || !rest.first().is_some_and(|next| next.is_word("JObject")) {
            continue;
        }
        rest = &rest[1..];
        if let [open, close, ..] = rest
            && open.is_sign('(')
            && close.is_sign(')')
        {
            rest = &rest[2..];
        }
        if rest.first().is_some_and(|next| next.is_sign('{')) {
            let inner = group(rest);
            objects.push(Object {
                line: first.line,
                fields: fields(inner),
            });
            rest = &rest[inner.len() + 1..];
        }
    }
    objects
}

/// The fields, of which each is `{ "name", value }`.
fn fields(mut tokens: &[Placed]) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some((first, after)) = tokens.split_first() {
        if !first.is_sign('{') {
            tokens = after;
            continue;
        }
        let inner = group(tokens);
        tokens = &after[inner.len()..];
        if let [
            Placed {
                token: Token::Text(name),
                ..
            },
            comma,
            value @ ..,
        ] = inner
            && comma.is_sign(',')
        {
            fields.push(Field {
                name: name.clone(),
                value: Value::of(value),
            });
        }
    }
    fields
}

/// What is between the bracket that these begin with and the one that closes it.
fn group(tokens: &[Placed]) -> &[Placed] {
    let mut depth = 0_usize;
    for (position, placed) in tokens.iter().enumerate() {
        match placed.token {
            Token::Sign('(' | '{' | '[') => depth += 1,
            Token::Sign(')' | '}' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &tokens[1..position.max(1)];
        }
    }
    &tokens[1..]
}

impl Value {
    fn of(tokens: &[Placed]) -> Self {
        match tokens {
            [
                Placed {
                    token: Token::Text(text),
                    ..
                },
            ] => Self::Text(text.clone()),
            [
                Placed {
                    token: Token::Word(word),
                    ..
                },
            ] => word.parse().map_or(Self::Other, Self::Number),
            _ => Self::Other,
        }
    }
}

impl Placed {
    fn is_word(&self, word: &str) -> bool {
        matches!(&self.token, Token::Word(this) if this == word)
    }

    fn is_sign(&self, sign: char) -> bool {
        self.token == Token::Sign(sign)
    }
}
