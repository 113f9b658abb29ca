"""Words for what the pages of users show: roles, and the kinds of mail."""

from accounts.models import MailKind, Role
from accounts.translations import N_

ROLES = {Role.OWNER: N_("Owner"), Role.ADMIN: N_("Admin"), Role.MEMBER: N_("Member")}
MAIL_KINDS = {
    MailKind.SIGN_UP: N_("Finish the sign-up"),
    MailKind.VERIFY: N_("Confirm the email address"),
    MailKind.RESET: N_("Choose a new password"),
    MailKind.SIGN_IN_CODE: N_("Code to sign in"),
    MailKind.CONFIRM_EMAIL: N_("Confirm the new email address"),
    MailKind.EMAIL_CHANGED: N_("The email address was changed"),
    MailKind.ACCOUNT_EXISTS: N_("The address has an account already"),
    MailKind.INVITATION: N_("Invitation to a group"),
    MailKind.NEW_SIGN_IN: N_("New sign-in"),
    MailKind.PASSWORD_CHANGED: N_("The password was changed"),
    MailKind.ROLE_CHANGED: N_("The role in a group was changed"),
    MailKind.SUPERUSER_CHANGED: N_("The superuser rights were changed"),
    MailKind.SECURITY_CHANGED: N_("The security settings were changed"),
    MailKind.TOKEN_CREATED: N_("An access token was created"),
    MailKind.TOKEN_EXPIRES: N_("An access token expires"),
}
