"""Who may use the page: users and their roles, passwords, sessions, wrong tries, the first admin."""

from calibration.web.access.database import Database, PageDatabaseError
from calibration.web.access.first_admin import FirstAdmin
from calibration.web.access.lockout import Lockout
from calibration.web.access.passwords import Passwords, PasswordsBusy, one_time_password, weakness
from calibration.web.access.roles import Right, Role
from calibration.web.access.sessions import Session, Sessions
from calibration.web.access.users import User, UserRefused, Users, sign_in_name

__all__ = [
    "Database", "FirstAdmin", "Lockout", "PageDatabaseError", "Passwords", "PasswordsBusy", "Right", "Role", "Session",
    "Sessions", "User", "UserRefused", "Users", "one_time_password", "sign_in_name", "weakness",
]  # fmt: skip
