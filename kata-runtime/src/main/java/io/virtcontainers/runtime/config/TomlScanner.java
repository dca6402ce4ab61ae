// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

/** The characters of a TOML text, and what of it is read without regard to the rest: words and strings. */
final class TomlScanner {
    /** What {@link #peek} gives at the end. */
    private static final int END = -1;

    private final String text;
    private int at;
    private int line = 1;

    TomlScanner(String text) {
        this.text = text;
        this.at = text.startsWith("\uFEFF") ? 1 : 0;
    }

    int line() {
        return line;
    }

    TomlException error(String message) {
        return new TomlException(line, message);
    }

    boolean atEnd() {
        return at >= text.length();
    }

    /** The next character, -1 at the end. */
    int peek() {
        return atEnd() ? END : text.charAt(at);
    }

    private int next() {
        int c = peek();
        at++;
        if (c == '\n') {
            line++;
        }
        return c;
    }

    boolean take(char wanted) {
        if (peek() != wanted) {
            return false;
        }
        next();
        return true;
    }

    void expect(char wanted, String what) throws TomlException {
        if (!take(wanted)) {
            throw error(what + " is missing before " + shown());
        }
    }

    /** What stands here, for an error. */
    private String shown() {
        int end = at;
        while (end < text.length() && text.charAt(end) >= ' ' && end - at < 20) {
            end++;
        }
        return end == at ? "the end of the line" : TomlValue.quoted(text.substring(at, end));
    }

    void skipBlanks() {
        while (peek() == ' ' || peek() == '\t') {
            next();
        }
    }

    /** Also over comments. */
    void skipBlankLines() throws TomlException {
        while (true) {
            skipBlanks();
            if (peek() == '#') {
                comment();
            } else if (!newLine()) {
                return;
            }
        }
    }

    private void comment() throws TomlException {
        while (!atEnd() && peek() != '\n') {
            int c = next();
            if (isControl(c) && !(c == '\r' && peek() == '\n')) {
                throw error("a comment has a control character");
            }
        }
    }

    private static boolean isControl(int c) {
        return (c < ' ' && c != '\t') || c == 0x7f;
    }

    private boolean newLine() {
        if (text.startsWith("\r\n", at)) {
            at++;
        }
        return take('\n');
    }

    void endOfLine() throws TomlException {
        skipBlanks();
        if (peek() == '#') {
            comment();
        }
        if (!atEnd() && !newLine()) {
            throw error("the end of the line is expected, not " + shown());
        }
    }

    /** One name of a key. */
    String key() throws TomlException {
        if (peek() == '"' || peek() == '\'') {
            int begin = line;
            if (text.startsWith("\"\"\"", at) || text.startsWith("'''", at)) {
                throw new TomlException(begin, "a key is no string of several lines");
            }
            return string();
        }
        int from = at;
        while (isBare(peek())) {
            at++;
        }
        if (from == at) {
            throw error("a key is expected, not " + shown());
        }
        return text.substring(from, at);
    }

    private static boolean isBare(int c) {
        return c < 0x80 && (Character.isLetterOrDigit(c) || c == '-' || c == '_');
    }

    /** A value without quotes: a number, true or false. */
    TomlValue word() throws TomlException {
        int from = at;
        while (isBare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') {
            at++;
        }
        String word = text.substring(from, at);
        if (word.isEmpty()) {
            throw error("a value is expected, not " + shown());
        }
        return TomlWords.value(word, line);
    }

    String string() throws TomlException {
        char quote = (char) peek();
        String three = String.valueOf(quote).repeat(3);
        if (text.startsWith(three, at)) {
            at += 3;
            newLine(); // the first one does not count
            return string(quote, true);
        }
        at++;
        return string(quote, false);
    }

    private String string(char quote, boolean severalLines) throws TomlException {
        int begin = line;
        StringBuilder value = new StringBuilder();
        while (true) {
            if (atEnd() || (!severalLines && (peek() == '\n' || peek() == '\r'))) {
                throw new TomlException(begin, "a string has no closing " + quote);
            }
            if (peek() == quote && ends(quote, severalLines, value)) {
                return value.toString();
            }
            if (peek() == quote) {
                continue;
            }
            if (peek() == '\\' && quote == '"') {
                next();
                escape(value, severalLines);
            } else if (severalLines && newLine()) {
                value.append('\n');
            } else if (isControl(peek())) {
                throw error("a string has a control character: write it as an escape such as \\u0007");
            } else {
                value.append((char) next());
            }
        }
    }

    /** Whether the quotes here end the string; those that do not are added to it. */
    private boolean ends(char quote, boolean severalLines, StringBuilder value) {
        int count = 0;
        while (peek() == quote && count < (severalLines ? 5 : 1)) {
            at++;
            count++;
        }
        int belong = severalLines ? (count < 3 ? count : count - 3) : 0;
        value.append(String.valueOf(quote).repeat(belong));
        return !severalLines || count >= 3;
    }

    private void escape(StringBuilder value, boolean severalLines) throws TomlException {
        int c = peek();
        if (severalLines && (c == '\n' || c == '\r' || c == ' ' || c == '\t')) {
            skipBlanks();
            if (!newLine()) {
                throw error("a backslash before blanks must be the last in its line");
            }
            do {
                skipBlanks();
            } while (newLine());
            return;
        }
        at++;
        switch (c) {
            case 'b' -> value.append('\b');
            case 't' -> value.append('\t');
            case 'n' -> value.append('\n');
            case 'f' -> value.append('\f');
            case 'r' -> value.append('\r');
            case '"' -> value.append('"');
            case '\\' -> value.append('\\');
            case 'u' -> value.appendCodePoint(hex(4));
            case 'U' -> value.appendCodePoint(hex(8));
            default -> {
                at--;
                throw error("\\" + (atEnd() ? "" : (char) c) + " is no escape of a string: use \\\\ for a backslash");
            }
        }
    }

    private int hex(int digits) throws TomlException {
        long code = 0;
        for (int i = 0; i < digits; i++) {
            int digit = atEnd() ? -1 : Character.digit(peek(), 16);
            if (digit < 0 || peek() > 'f') {
                throw error("an escape with a u needs " + digits + " hexadecimal digits");
            }
            code = code * 16 + digit;
            at++;
        }
        if (code > Character.MAX_CODE_POINT || (code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE)) {
            throw error("an escape names no character of Unicode");
        }
        return (int) code;
    }
}
