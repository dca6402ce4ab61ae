// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import java.util.Optional;

/**
 * One option of {@code configuration.toml}, declared once: reading it, its default, its annotation, how it is written again,
 * its place in {@code kata-env} and its documentation all come from here. Immutable.
 *
 * @param <T> what its values are
 */
public final class ConfigOption<T> {
    /** What an option does. */
    enum Support {
        /** What its meaning says. */
        YES,
        /** Nothing yet: a value other than the default is refused. */
        NOT_YET,
        /** Nothing, as there is nothing here that it could apply to: a value other than the default is refused. */
        MEANINGLESS
    }

    private static final String ANNOTATIONS = "io.katacontainers.config.";

    private final String table;
    private final String key;
    private final ValueType<T> type;
    private final T standard;
    private final String meaning;
    private Support support = Support.YES;
    private String reason = "";
    private String kataDefault = "";
    private String annotation = "";
    private String environment = "";
    private String globs = "";
    private boolean zeroIsDefault;
    private boolean inFile = true;

    private ConfigOption(String table, String key, ValueType<T> type, T standard, String meaning) {
        this.table = table;
        this.key = key;
        this.type = type;
        this.standard = standard;
        this.meaning = meaning;
    }

    static <T> ConfigOption<T> of(String table, String key, ValueType<T> type, T standard, String meaning) {
        return new ConfigOption<>(table, key, type, standard, meaning);
    }

    // The following complete a declaration; nobody calls them later.

    ConfigOption<T> notYet(String why) {
        support = Support.NOT_YET;
        reason = why;
        return this;
    }

    ConfigOption<T> meaningless(String why) {
        support = Support.MEANINGLESS;
        reason = why;
        return this;
    }

    /** @param value of Kata Containers 1.x, where ours is another, as TOML */
    ConfigOption<T> kataDefault(String value) {
        kataDefault = value;
        return this;
    }

    /** The annotation has the key's name. */
    ConfigOption<T> annotation(String group) {
        return annotation(group, key);
    }

    ConfigOption<T> annotation(String group, String name) {
        annotation = ANNOTATIONS + group + '.' + name;
        return this;
    }

    /** @param place of {@code kata-env}, {@code Section.Field} */
    ConfigOption<T> env(String place) {
        environment = place;
        return this;
    }

    /** @param keyOfGlobs the key, in the same table, of the globs that an annotation's path must match */
    ConfigOption<T> onlyPathsOf(String keyOfGlobs) {
        globs = keyOfGlobs;
        return this;
    }

    ConfigOption<T> zeroIsDefault() {
        zeroIsDefault = true;
        return this;
    }

    ConfigOption<T> annotationOnly() {
        inFile = false;
        return this;
    }

    /** The table that it is in: {@code hypervisor.qemu}. */
    public String table() {
        return table;
    }

    public String key() {
        return key;
    }

    ValueType<T> type() {
        return type;
    }

    /** The default. */
    public T standard() {
        return standard;
    }

    String meaning() {
        return meaning;
    }

    Support support() {
        return support;
    }

    /** Why it is not supported, or has no meaning. */
    String reason() {
        return reason;
    }

    Optional<String> kataDefault() {
        return Optional.of(kataDefault).filter(value -> !value.isEmpty());
    }

    /** The whole name of its annotation. */
    Optional<String> annotation() {
        return Optional.of(annotation).filter(name -> !name.isEmpty());
    }

    public Optional<String> environment() {
        return Optional.of(environment).filter(place -> !place.isEmpty());
    }

    Optional<String> globs() {
        return Optional.of(globs).filter(name -> !name.isEmpty());
    }

    boolean isInFile() {
        return inFile;
    }

    /** As it is named in errors and in the documentation. */
    @Override
    public String toString() {
        return "[" + table + "] " + key;
    }

    T read(TomlValue value) throws BadValueException {
        boolean zero = value instanceof TomlValue.Whole whole && whole.value() == 0 && zeroIsDefault;
        boolean empty = value instanceof TomlValue.Text text
                && text.value().isEmpty()
                && type.name().equals("string");
        return supported(zero || empty ? standard : type.read(value));
    }

    T read(String annotationValue) throws BadValueException {
        return supported(type.read(annotationValue));
    }

    private T supported(T value) throws BadValueException {
        if (support == Support.YES || value.equals(standard)) {
            return value;
        }
        throw new BadValueException((support == Support.NOT_YET ? "is not supported" : "has no meaning here") + ": "
                + reason + "; remove the key, or set it to " + written(standard));
    }

    TomlValue written(T value) {
        return type.write(value);
    }
}
