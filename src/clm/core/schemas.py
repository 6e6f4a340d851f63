"""What all API schemas share."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from clm.core.clock import iso

Time = Annotated[datetime, PlainSerializer(iso, return_type=str, when_used="json")]


class Schema(BaseModel):
    """A response body; read straight from a database row."""

    model_config = ConfigDict(from_attributes=True)


class Body(BaseModel):
    """A request body; a field that we don't know is an error, not a wish that is silently dropped."""

    model_config = ConfigDict(extra="forbid")
