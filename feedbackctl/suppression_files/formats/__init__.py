"""The formats of the systems that can be imported from; each module cites its documentation."""

from feedbackctl.suppression_files.formats import brevo, listmonk, mailgun, postmark, resend, sendgrid, ses
from feedbackctl.suppression_files.model import ExportFormat

FORMATS: tuple[ExportFormat, ...] = (
    *postmark.FORMATS,
    *sendgrid.FORMATS,
    *mailgun.FORMATS,
    *resend.FORMATS,
    *brevo.FORMATS,
    *listmonk.FORMATS,
    *ses.FORMATS,
)
BY_NAME = {one.name: one for one in FORMATS}
