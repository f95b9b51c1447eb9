"""The description of the interface (OpenAPI), with how a caller says who it is."""

from typing import Any

from fastapi import FastAPI

SCHEME = "bearer"
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


def secure(app: FastAPI, open_paths: frozenset[str]) -> None:
    """Let the description name the bearer token, and demand it of every operation but those of `open_paths`.

    What refuses a caller is `identified`, for all routes alike; this only tells generated clients and test tools.
    """

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = FastAPI.openapi(app)
            schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes[SCHEME] = {"type": "http", "scheme": "bearer", "description": "A token that names a person."}
            schema["security"] = [{SCHEME: []}]
            for path in open_paths & schema["paths"].keys():
                for method in _METHODS & schema["paths"][path].keys():
                    schema["paths"][path][method]["security"] = []
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way of changing the description
