//! What can be made of something signed by whoever does not know the secret: members left out, added, renamed, changed,
//! and bytes that move from one to the other.

use std::borrow::Cow;

use gatepass_core::wire::json::{Json, Members};

use super::read;

/// Ids that somebody might be called by to read something else into what is signed for him: other members behind a
/// shorter id, glued or joined, for every member there is.
pub(super) fn ids(shown: &str, far: &str) -> Vec<String> {
    let mut ids = vec!["ann".to_owned(), "annzz".to_owned(), "ann&zz=".to_owned()];
    if let Some(value) = read(shown) {
        for (name, _) in objects(&value).into_iter().flat_map(|members| members.0.iter()) {
            ids.extend([
                format!("ann{name}{far}"),
                format!("ann&{name}={far}&zz="),
                format!("x&{name}=ann&zz="),
            ]);
        }
    }
    ids
}

/// The same with each member of the outermost object replaced by nothing.
pub(super) fn without_each(shown: &str, nothing: &str) -> Vec<String> {
    let Some(Json::Object(members)) = read(shown) else { return Vec::new() };
    let names = members.0.iter().map(|(name, _)| name.clone());
    let replaced = |name: &str| {
        let mut less = members.clone();
        less.0.retain(|(own, _)| own != name);
        if let Some(nothing) = read(nothing) {
            less.0.push((Cow::Owned(name.to_owned()), nothing));
        }
        Json::Object(less).to_string()
    };
    names.map(|name| replaced(&name)).collect()
}

/// The same, written otherwise.
pub(super) fn spelled_otherwise(shown: &str) -> Vec<String> {
    let Some(value) = read(shown) else { return Vec::new() };
    let mut all = vec![shown.replace(':', " : ").replace(',', " ,\n")];
    all.extend(each_object(&value, &|members| {
        let mut turned = members.clone();
        turned.0.reverse();
        let mut doubled = members.clone();
        doubled.0.extend(members.0.first().cloned());
        vec![turned, doubled]
    }));
    all
}

/// Everything that is made of it with one step, or with a few that belong together.
pub(super) fn of<'a>(shown: &'a str, far: &'a str) -> Vec<String> {
    let Some(value) = read(shown) else { return Vec::new() };
    each_object(&value, &|members| {
        let mut all = Vec::new();
        let mut extra = members.clone();
        extra.0.push(("zz".into(), Json::Text("".into())));
        all.push(extra);
        for at in 0..members.0.len() {
            all.extend(changed(members, at, far));
            all.extend(moved(members, at, far));
        }
        all
    })
}

/// One member left out, renamed, doubled or with another value.
fn changed<'a>(own: &Members<'a>, at: usize, far: &'a str) -> Vec<Members<'a>> {
    let (name, value) = own.0[at].clone();
    let with = |name: &str, value: Json<'a>| {
        let mut other = own.clone();
        other.0[at] = (name.to_owned().into(), value);
        other
    };
    let mut less = own.clone();
    less.0.remove(at);
    let mut all =
        vec![less, with(&name.to_uppercase(), value.clone()), with(&format!("{name}z"), value.clone())];
    let mut values = vec![text("ann"), text(""), text(far), Json::Number(far), Json::Null, Json::Bool(true)];
    values.push(Json::List(vec![value.clone()]));
    match &value {
        Json::Text(old) => values.extend([text(&format!("{old} ")), text(&old.to_uppercase())]),
        Json::Number(old) => values.push(text(old)),
        _ => {}
    }
    for other in values.into_iter().filter(|other| *other != value) {
        all.push(with(&name, other.clone()));
        let mut doubled = own.clone();
        doubled.0.push((name.clone(), other));
        all.push(doubled);
    }
    all
}

/// The end of a text becomes a member of its own, or the value of another one, whose old value becomes part of a name.
fn moved<'a>(own: &Members<'a>, at: usize, far: &'a str) -> Vec<Members<'a>> {
    let Json::Text(whole) = own.0[at].1.clone() else { return Vec::new() };
    let mut all = Vec::new();
    for (end, _) in whole.char_indices().skip(1) {
        let (head, tail) = whole.split_at(end);
        let mut shorter = own.clone();
        // Ids are written more than once in some sets.
        for (_, value) in shorter.0.iter_mut().filter(|(_, value)| value.text() == Some(&whole)) {
            *value = text(head);
        }
        let mut only = own.clone();
        only.0[at].1 = text(head);
        for cut in [shorter, only] {
            let mut named = cut.clone();
            named.0.push((tail.to_owned().into(), text("")));
            all.push(named);
            if let Some((name, value)) = tail.trim_start_matches('&').split_once('=') {
                let mut joined = cut.clone();
                joined.0.push((name.to_owned().into(), text(value)));
                all.push(joined);
            }
            let given = cut.0.iter().enumerate().filter(|(place, _)| *place != at);
            for (place, (name, old)) in given {
                let old = match old {
                    Json::Text(old) => old.to_string(),
                    Json::Number(old) => (*old).to_owned(),
                    _ => continue,
                };
                if tail.contains(far) && tail.contains(&**name) {
                    let mut later = cut.clone();
                    later.0[place].1 = Json::Number(far);
                    all.push(later.clone());
                    later.0.push((format!("{name}{old}").into(), text("")));
                    all.push(later);
                }
                let mut longer = cut.clone();
                longer.0[place].1 = text(&format!("{tail}{old}"));
                all.push(longer);
            }
        }
    }
    all
}

/// What comes of changing each object in a value.
fn each_object<'a>(value: &Json<'a>, change: &dyn Fn(&Members<'a>) -> Vec<Members<'a>>) -> Vec<String> {
    let count = objects(value).len();
    (0..count)
        .flat_map(|nth| {
            let changes = objects(value).get(nth).map(|members| change(members)).unwrap_or_default();
            changes.into_iter().map(move |members| {
                let mut place = nth;
                replaced(value, &mut place, &members).to_string()
            })
        })
        .collect()
}

/// All objects in a value, the outermost first.
fn objects<'a, 'b>(value: &'a Json<'b>) -> Vec<&'a Members<'b>> {
    match value {
        Json::Object(members) => {
            let inner = members.0.iter().flat_map(|(_, value)| objects(value));
            std::iter::once(members).chain(inner).collect()
        }
        Json::List(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

/// The value with its `nth` object, as [`objects`] counts, replaced.
fn replaced<'a>(value: &Json<'a>, nth: &mut usize, by: &Members<'a>) -> Json<'a> {
    match value {
        Json::Object(members) => {
            let mine = *nth == 0;
            *nth = nth.wrapping_sub(1);
            let inner = members.0.iter().map(|(name, value)| (name.clone(), replaced(value, nth, by)));
            let inner = Members(inner.collect());
            Json::Object(if mine { by.clone() } else { inner })
        }
        Json::List(items) => Json::List(items.iter().map(|item| replaced(item, nth, by)).collect()),
        other => other.clone(),
    }
}

fn text<'a>(text: &str) -> Json<'a> {
    Json::Text(text.to_owned().into())
}
