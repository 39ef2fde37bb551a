//! What a page says, without its tags.

use std::collections::BTreeMap;

/// Figures above zero, by the text of a row's first cell, then by their titles.
pub(crate) type Counts = BTreeMap<String, BTreeMap<String, u64>>;

/// What stands between tags.
fn plain(html: &str) -> String {
    let pieces = html.split('<').enumerate();
    let texts = pieces.map(|(at, piece)| match (at, piece.split_once('>')) {
        (0, _) => piece,
        (_, found) => found.unwrap().1,
    });
    texts.collect()
}

/// The figures of a page's table, by its first column and its titles.
pub(crate) fn table(page: &str, caption: &str) -> Counts {
    let (_, table) = page
        .split_once(&format!(">{caption}</caption>"))
        .unwrap_or_else(|| panic!("{caption} is not in {page}"));
    let table = table.split("</table>").next().unwrap();
    let table = table.replace("</th>", "</td>");
    let mut rows = table.split("</tr>").map(|row| {
        let mut cells: Vec<_> = row.split("</td>").map(plain).collect();
        cells.pop();
        cells
    });
    let titles = rows.next().unwrap();
    let mut found = Counts::new();
    for row in rows.filter(|row| !row.is_empty()) {
        let figures = titles.iter().zip(&row).skip(1);
        let figures = figures.filter_map(|(title, cell)| {
            let number = cell.replace(',', "").parse().ok()?;
            (number > 0).then(|| (title.clone(), number))
        });
        found.insert(row[0].clone(), figures.collect());
    }
    found
}
