"""A preprocessor of mdBook: links that leave the book.

In the repository a page links to source files by relative paths, which a code host and an editor follow. The book is
only this folder, so such a link would lead nowhere there. It becomes a link to `repository` of book.toml, and where
that isn't set, its text with the path as a hint.
"""

import html
import json
import posixpath
import re
import sys

# An inline link that is no image and no URL; code spans and blocks are passed over by the first alternatives.
LINK = re.compile(r"(?P<code>^```.*?^```$|`+[^`].*?`+(?!\]\())|(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s:]+)\)", re.M | re.S)


def rewrite(text, page, repository):
    """The page's text with its links out of the book replaced. `page` is its path in the book."""

    def replace(match):
        target = match["target"]
        if match["code"] or target.startswith("#"):
            return match[0]
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path.startswith("docs/"):
            return match[0]
        if repository:
            return f"[{match['text']}]({repository}{path})"
        return f'<span title="{html.escape(path)}">{match["text"]}</span>'

    return LINK.sub(replace, text)


def chapters(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        sys.exit(0 if sys.argv[2] == "html" else 1)
    context, book = json.load(sys.stdin)
    repository = context["config"]["preprocessor"]["outside-links"].get("repository")
    for chapter in chapters(book["items"]):
        if chapter["source_path"]:
            chapter["content"] = rewrite(chapter["content"], chapter["source_path"], repository)
    json.dump(book, sys.stdout)


main()
