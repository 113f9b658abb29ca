#!/bin/sh -e
# Saves members.fods as CSV, as LibreOffice does in English and in German. The files beside it were made so on Debian 12:
#     apt-get install --no-install-recommends libreoffice-calc libreoffice-l10n-de && ./save.sh
cd "$(dirname "$0")"
profile=$(mktemp -d)
registry=$profile/user/registrymodifications.xcu
mkdir "$profile/user"
save() { # language, name, and the options "separator,quote,charset"; without, as `--convert-to csv` alone saves
    mkdir -p "$1"
    cat > "$registry" <<XCU
<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooLocale" oor:op="fuse"><value>$1</value></prop></item>
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>$1</value></prop></item>
</oor:items>
XCU
    soffice "-env:UserInstallation=file://$profile" --headless \
        --convert-to "csv${3:+:Text - txt - csv (StarCalc):$3}" --outdir "$profile" members.fods
    mv "$profile/members.csv" "$1/$2.csv"
}
for language in en-US de-DE; do
    save $language comma-utf-8 44,34,76
    save $language comma-quoted 44,34,76,1,,0,true
    save $language semicolon-utf-8 59,34,76
    save $language tab-utf-8 9,34,76
    save $language tab-utf-16 9,34,65535
    save $language semicolon-windows-1252 59,34,1
    save $language no-options-windows-1252
done
