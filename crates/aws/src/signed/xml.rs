//! S3's small documents.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

/// The texts of the elements of these names that stand directly in `root`; `None` where the document is none
/// of this root, or not whole.
pub(super) fn texts<const N: usize>(
    document: &[u8],
    root: &str,
    names: [&str; N],
) -> Option<[Option<String>; N]> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
    reader.config_mut().expand_empty_elements = true;
    let mut texts = [const { None }; N];
    let (mut depth, mut field) = (0, None);
    loop {
        let part = match reader.read_event().ok()? {
            Event::Start(tag) => {
                let name = tag.local_name().into_inner();
                match depth {
                    0 if name != root => return None,
                    1 => {
                        field = names.iter().position(|wanted| *wanted == name);
                        if let Some(field) = field {
                            texts[field] = Some(String::new());
                        }
                    }
                    _ => {}
                }
                depth += 1;
                continue;
            }
            Event::End(_) => {
                depth -= 1;
                match depth {
                    0 => return Some(texts),
                    1 => field = None,
                    _ => {}
                }
                continue;
            }
            Event::Text(text) => text.into_inner().into_owned(),
            Event::CData(text) => text.into_inner().into_owned(),
            Event::GeneralRef(reference) => resolve(&reference)?,
            Event::Eof => return None,
            _ => continue,
        };
        if let Some(text) = field.filter(|_| depth == 2).and_then(|n| texts[n].as_mut()) {
            text.push_str(&part);
        }
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character.to_string());
    }
    resolve_predefined_entity(reference).map(str::to_owned)
}
