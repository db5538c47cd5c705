"""A preprocessor of mdBook that mends links which work in the repository, but not in the book.

A page links to source files by relative paths, as code hosts and editors follow them. The book is only this folder, so
such a link becomes one to `repository` of book.toml, or, where that is not set, its text with the path as a hint.
Links to a README.md become links to the index.html that mdBook makes of it.
"""

import html
import json
import posixpath
import re
import sys

# A link, but no image and no address of a site. Code, in which nothing is a link, matches first.
LINK = re.compile(
    r"(?P<code>^```.*?^```$|`+[^`].*?`+)|(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^)\s:]+)\)", re.M | re.S
)


def mend(text, page, repository):
    """The text of the page at the path `page`, with its links mended."""

    def replace(match):
        target = match["target"]
        if match["code"] or target.startswith("#"):
            return match[0]
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
        if path.startswith("docs/"):
            return "[{}]({})".format(match["text"], re.sub(r"(^|/)README\.md", r"\1index.md", target))
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
    repository = context["config"]["preprocessor"]["links-in-repository"].get("repository")
    for chapter in chapters(book["items"]):
        if chapter["source_path"]:
            chapter["content"] = mend(chapter["content"], chapter["source_path"], repository)
    json.dump(book, sys.stdout)


main()
