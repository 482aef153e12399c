//! Just enough of Go's gob to read the first call on a `net/rpc` connection, and its reply.
//!
//! gatepass speaks no gob; the original's database link does, and its vectors are checked for what they say.
//! A stream is a series of length-prefixed messages. Each starts with a type number: a negative one defines that
//! type, a positive one is a value of a type defined before. Only structs of basic fields occur.

/// Numbers gob gives to the basic types.
const BOOL: i64 = 1;
const INT: i64 = 2;
const UINT: i64 = 3;
const STRING: i64 = 6;

/// Checks that `bytes` are the first call of `method`, with `id` as its only argument.
pub(super) fn check_request(bytes: &[u8], method: &str, id: u64) -> Result<(), String> {
    let (argument_type, argument) = match method {
        "GetUserById" => ("ReqUserById", "Id"),
        "SetLastPlayTime" => ("ReqSetLastPlayTime", "UID"),
        other => return Err(format!("no argument is known for method {other}")),
    };
    let [request, body] = stream(bytes)?;
    request.has_form("Request", &[("ServiceMethod", STRING), ("Seq", UINT)])?;
    // The first call has number 0, and gob leaves out what is zero.
    request.has_values(&[("ServiceMethod", Basic::Text(service(method)))])?;
    body.has_form(argument_type, &[(argument, UINT)])?;
    body.has_values(&[(argument, Basic::Uint(id))])
}

/// Checks that `bytes` are a reply to that call without an error.
pub(super) fn check_reply(bytes: &[u8], method: &str, id: u64) -> Result<(), String> {
    let [response, body] = stream(bytes)?;
    response.has_form("Response", &[("ServiceMethod", STRING), ("Seq", UINT), ("Error", STRING)])?;
    response.has_values(&[("ServiceMethod", Basic::Text(service(method)))])?;
    match body.fields.iter().find(|(name, _)| name == "Id") {
        Some((_, Basic::Uint(found))) if *found == id => Ok(()),
        None if body.form.fields.is_empty() => Ok(()),
        _ => Err("the reply is not about that id".to_owned()),
    }
}

fn service(method: &str) -> String {
    format!("RPCTask.{method}")
}

#[derive(Clone)]
struct Form {
    number: i64,
    name: String,
    fields: Vec<(String, i64)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Basic {
    Flag(bool),
    Int(i64),
    Uint(u64),
    Text(String),
}

struct Struct {
    form: Form,
    /// Only those that are not zero.
    fields: Vec<(String, Basic)>,
}

impl Struct {
    fn has_form(&self, name: &str, fields: &[(&str, i64)]) -> Result<(), String> {
        let found = self.form.fields.iter().map(|(name, kind)| (&name[..], *kind));
        if self.form.name == name && found.eq(fields.iter().copied()) {
            Ok(())
        } else {
            Err(format!("type {} is not {name} with its fields", self.form.name))
        }
    }

    fn has_values(&self, values: &[(&str, Basic)]) -> Result<(), String> {
        let found = self.fields.iter().map(|(name, value)| (&name[..], value));
        if found.eq(values.iter().map(|(name, value)| (*name, value))) {
            Ok(())
        } else {
            Err(format!("the values of {} differ", self.form.name))
        }
    }
}

/// Reads a whole stream that has to hold exactly `N` values.
fn stream<const N: usize>(bytes: &[u8]) -> Result<[Struct; N], String> {
    let mut input = Input(bytes);
    let mut forms: Vec<Form> = Vec::new();
    let mut values = Vec::new();
    while !input.0.is_empty() {
        let len = input.length()?;
        let mut message = Input(input.take(len)?);
        let number = message.int()?;
        if number < 0 {
            let form = message.definition()?;
            if Some(form.number) != number.checked_neg() {
                return Err(format!("type {} is defined under another number", form.name));
            }
            forms.push(form);
        } else {
            let form = forms.iter().find(|form| form.number == number);
            values.push(message.value(form.ok_or("a value of an undefined type")?)?);
        }
        if !message.0.is_empty() {
            return Err("bytes after the end of a message".to_owned());
        }
    }
    let count = values.len();
    values.try_into().map_err(|_| format!("{count} values instead of {N}"))
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or("the stream ends early")?;
        self.0 = rest;
        Ok(taken)
    }

    /// Up to 127 in one byte; else the negated number of bytes, then those, most significant first.
    fn uint(&mut self) -> Result<u64, String> {
        match self.take(1)? {
            &[small @ ..=0x7f] => Ok(small.into()),
            &[negated, ..] => match usize::from(negated.wrapping_neg()) {
                len @ 1..=8 => {
                    Ok(self.take(len)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
                }
                _ => Err("a number of more than 64 bits".to_owned()),
            },
            [] => Err("the stream ends early".to_owned()),
        }
    }

    /// The lowest bit says whether the others are complemented.
    fn int(&mut self) -> Result<i64, String> {
        let bits = self.uint()?;
        let value = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 0 { value } else { !value })
    }

    fn length(&mut self) -> Result<usize, String> {
        usize::try_from(self.uint()?).map_err(|e| e.to_string())
    }

    fn text(&mut self) -> Result<String, String> {
        let len = self.length()?;
        String::from_utf8(self.take(len)?.to_vec()).map_err(|e| e.to_string())
    }

    /// Reads the fields of a struct: each is preceded by its distance from the last, and 0 ends them.
    fn fields(&mut self, mut read: impl FnMut(&mut Self, u64) -> Result<(), String>) -> Result<(), String> {
        let mut number = 0u64;
        loop {
            match self.uint()? {
                0 => return Ok(()),
                step => number = number.checked_add(step).ok_or("a field number of more than 64 bits")?,
            }
            read(self, number)?;
        }
    }

    /// The definition of a struct: its third field holds name and number, then the list of fields.
    fn definition(&mut self) -> Result<Form, String> {
        let mut form = Form { number: 0, name: String::new(), fields: Vec::new() };
        self.fields(|input, kind| match kind {
            3 => input.fields(|input, part| {
                match part {
                    1 => (form.name, form.number) = input.named()?,
                    2 => {
                        for _ in 0..input.uint()? {
                            form.fields.push(input.named()?);
                        }
                    }
                    _ => return Err("a definition with more than name and fields".to_owned()),
                }
                Ok(())
            }),
            _ => Err("a type that is no struct".to_owned()),
        })?;
        Ok(form)
    }

    /// A name and a type number, as a struct and as each of its fields have them.
    fn named(&mut self) -> Result<(String, i64), String> {
        let mut pair = (String::new(), 0);
        self.fields(|input, part| {
            match part {
                1 => pair.0 = input.text()?,
                2 => pair.1 = input.int()?,
                _ => return Err("a name with more than a type".to_owned()),
            }
            Ok(())
        })?;
        Ok(pair)
    }

    fn value(&mut self, form: &Form) -> Result<Struct, String> {
        let mut fields = Vec::new();
        self.fields(|input, number| {
            let place = usize::try_from(number - 1).map_err(|e| e.to_string())?;
            let (name, kind) = form.fields.get(place).ok_or("a field its type does not have")?;
            let value = match *kind {
                BOOL => Basic::Flag(input.uint()? != 0),
                INT => Basic::Int(input.int()?),
                UINT => Basic::Uint(input.uint()?),
                STRING => Basic::Text(input.text()?),
                other => return Err(format!("a field of type {other}")),
            };
            fields.push((name.clone(), value));
            Ok(())
        })?;
        Ok(Struct { form: form.clone(), fields })
    }
}
