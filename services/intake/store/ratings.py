"""Ratings and rectification orders."""

from __future__ import annotations

import asyncpg

from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.ratings import CASE_ALREADY_RATED, Rating, Rectification
from services.intake.store.case_content import RATING_FIELD


class RatingRows:
    """Ratings, within one transaction; their texts are encrypted."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    async def add(self, rating: Rating, order: Rectification | None) -> None:
        """Store a rating and the order it opened. Raises CASE_ALREADY_RATED."""
        try:
            await self._tx.execute(
                """
                insert into case_rating (case_id, grade, options, text, channel, rated_at)
                values ($1, $2, $3, $4, $5, $6)
                """,
                rating.case_id,
                rating.grade,
                list(rating.options),
                self._cipher.encrypt(rating.text, field=RATING_FIELD),
                rating.channel,
                rating.rated_at,
            )
        except asyncpg.UniqueViolationError as problem:
            raise CASE_ALREADY_RATED() from problem
        if order is not None:
            await self._add_order(order)

    async def of_case(self, case_id: str) -> Rating | None:
        """Return the rating of a case, or None."""
        row = await self._tx.fetchrow(
            "select case_id, grade, options, text, channel, rated_at from case_rating where case_id = $1",
            case_id,
        )
        if row is None:
            return None
        return Rating(
            row["case_id"],
            row["grade"],
            tuple(row["options"]),
            self._cipher.decrypt(row["text"], field=RATING_FIELD),
            row["channel"],
            row["rated_at"],
        )

    async def _add_order(self, order: Rectification) -> None:
        await self._tx.execute(
            """
            insert into rectification (order_id, case_id, contact_due, rectify_due, calendar_version, opened_at)
            values ($1, $2, $3, $4, $5, $6)
            """,
            order.order_id,
            order.case_id,
            order.contact_due,
            order.rectify_due,
            order.calendar_version,
            order.opened_at,
        )
