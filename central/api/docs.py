"""`/docs`: a plain page of all routes, made from the OpenAPI document; it loads nothing from elsewhere."""

from html import escape
from typing import Any

from fastapi import FastAPI

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem; color: #1c2733 }
h2 { border-bottom: 1px solid #c9d3dc; margin-top: 2rem } code { background: #eef2f5; padding: 0 .25em }
.get { color: #14713d } .post { color: #8a4b00 } table { border-collapse: collapse } td { vertical-align: top;
padding: .15rem .8rem .15rem 0 } details { margin: .3rem 0 }
"""


def page(app: FastAPI) -> str:
    """The page as HTML; every text of the OpenAPI document is escaped."""
    document = app.openapi()
    sections = []
    for tag in document.get("tags", []):
        routes = [
            _route(path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation.get("tags", [])
        ]
        if routes:
            sections.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>{''.join(routes)}")
    intro = "".join(f"<p>{escape(part)}</p>" for part in document["info"]["description"].strip().split("\n\n"))
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Rozvodna API</title><style>{_STYLE}</style>"
        f"<h1>Rozvodna API</h1>{intro}<p>Machine readable: <a href='/openapi.json'>/openapi.json</a></p>"
        f"{''.join(sections)}</html>"
    )


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(item['name'])}</code></td><td>{escape(item['in'])}"
        f"{', required' if item.get('required') else ''}</td><td>{escape(item.get('description', ''))}</td></tr>"
        for item in operation.get("parameters", [])
    )
    return (
        f"<details><summary><b class='{escape(method)}'>{escape(method.upper())}</b> <code>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary><p>{escape(operation.get('description', ''))}</p>"
        f"<table>{rows}</table></details>"
    )
