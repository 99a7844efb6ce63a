package identity

// commonest are passwords of published lists of the most used ones, in lower
// case, that the other rules do not catch already: longer ones as they are, and
// words that people make long enough by adding digits and marks.
var commonest = map[string]struct{}{
	"password": {}, "passw0rd": {}, "p@ssword": {}, "p@ssw0rd": {}, "pa$$word": {}, "passwort": {}, "motdepasse": {},
	"contraseña": {}, "contrasena": {}, "senha": {}, "parola": {}, "wachtwoord": {}, "haslo": {}, "passwordpassword": {},
	"mypassword": {}, "thepassword": {}, "newpassword": {}, "yourpassword": {}, "nopassword": {},
	"changeme": {}, "changemenow": {}, "letmein": {}, "letmeinnow": {}, "letmeinplease": {},
	"welcome": {}, "welcomehome": {}, "welcome1welcome1": {}, "administrator": {}, "admin": {}, "adminadmin": {}, "adminadminadmin": {},
	"admin123admin123": {}, "administrador": {}, "superuser": {}, "sysadmin": {}, "rootroot": {}, "rootrootroot": {}, "toor": {}, "default": {},
	"iloveyou": {}, "iloveyouforever": {}, "iloveyousomuch": {}, "iloveyou2much": {}, "iloveyoubaby": {}, "ilovemyfamily": {}, "ilovejesus": {},
	"jesuschrist": {}, "jesusislord": {}, "trustno1": {}, "monkey": {}, "dragon": {}, "sunshine": {}, "princess": {}, "football": {},
	"baseball": {}, "basketball": {}, "superman": {}, "batman": {}, "starwars": {}, "pokemon": {}, "master": {}, "shadow": {}, "michael": {},
	"jennifer": {}, "liverpool": {}, "chelsea": {}, "manchesterunited": {}, "liverpoolfc": {}, "manchester": {}, "arsenal": {},
	"qwerty": {}, "qwerty123qwerty": {}, "qwertyqwerty": {}, "qwertyuiop": {}, "qwertzuiop": {}, "azertyuiop": {}, "asdfghjkl": {},
	"1q2w3e4r": {}, "1q2w3e4r5t": {}, "1q2w3e4r5t6y": {}, "1q2w3e4r5t6y7u": {}, "q1w2e3r4": {}, "q1w2e3r4t5": {}, "q1w2e3r4t5y6": {},
	"1qaz2wsx": {}, "1qaz2wsx3edc": {}, "1qaz2wsx3edc4rfv": {}, "qazwsx": {}, "qazwsxedc": {}, "qazwsxedcrfv": {}, "zaq12wsx": {}, "zaq1zaq1": {},
	"zaq12wsxcde3": {}, "1qazxsw2": {}, "1qazxsw23edc": {}, "abcd1234": {}, "abcd1234abcd": {}, "abc123abc123": {}, "a1b2c3d4": {}, "a1b2c3d4e5": {},
	"a1b2c3d4e5f6": {}, "123qweasdzxc": {}, "qweasdzxc": {}, "qwe123asd456": {}, "123qwe123qwe": {}, "1234qwerasdf": {}, "qwer1234asdf": {},
	"whatever": {}, "nothing": {}, "computer": {}, "internet": {},
	"samsung": {}, "secret": {}, "topsecret": {}, "supersecret": {}, "verysecret": {}, "secretsecret": {}, "hunter2": {}, "testtest": {},
	"testing": {}, "test": {}, "testtesttest": {}, "demo": {}, "example": {}, "guest": {}, "login": {}, "access": {},
	"hospital": {}, "medical": {}, "healthcare": {}, "hipaa": {}, "hipaacompliant": {}, "spring": {}, "summer": {}, "autumn": {}, "winter": {},
	"january": {}, "february": {}, "monday": {}, "friday": {}, "company": {}, "temporary": {}, "temp": {}, "pass": {}, "hello": {}, "helloworld": {},
}
