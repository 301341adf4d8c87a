/* Times are in the browser's zone until a member chooses one. Only the sign-in page says it, so that no page changes while it is open. */

const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const secure = location.protocol === "https:" ? "; secure" : "";
document.cookie = `zone=${timeZone}; path=/; max-age=31536000; samesite=lax${secure}`;
