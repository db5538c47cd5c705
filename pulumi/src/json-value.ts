import { readFileSync } from "node:fs";

/** A parsed JSON value of unknown type. Its readers check the type, and name the path of a wrong value in their error. */
export class JsonValue {
    private constructor(
        readonly value: unknown,
        readonly path: string,
    ) {}

    /** Parses a file, whose path begins the path of every value in it. */
    static ofFile(path: string): JsonValue {
        return new JsonValue(JSON.parse(readFileSync(path, "utf8")), path);
    }

    /** Returns a member of an object. The value of an absent member is `undefined`, which every reader refuses. */
    member(name: string): JsonValue {
        if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
            return this.fail("an object");
        }
        return new JsonValue((this.value as Record<string, unknown>)[name], `${this.path}: ${name}`);
    }

    /** Reads each element of an array with `read`. */
    list<T>(read: (element: JsonValue) => T): readonly T[] {
        if (!Array.isArray(this.value)) {
            return this.fail("an array");
        }
        return this.value.map((element, at) => read(new JsonValue(element, `${this.path}[${at}]`)));
    }

    nonEmptyString(): string {
        return typeof this.value === "string" && this.value !== "" ? this.value : this.fail("a string that is not empty");
    }

    /** Reads a string, which may be empty, or `undefined` for null. */
    stringOrNull(): string | undefined {
        return this.value === "" ? "" : this.nonEmptyStringOrNull();
    }

    /** Reads a string that is not empty, or `undefined` for null. */
    nonEmptyStringOrNull(): string | undefined {
        return this.value === null ? undefined : this.nonEmptyString();
    }

    boolean(): boolean {
        return typeof this.value === "boolean" ? this.value : this.fail("true or false");
    }

    positiveInteger(): number {
        const { value } = this;
        return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : this.fail("a whole number of at least 1");
    }

    oneOf<T extends string>(allowed: readonly T[]): T {
        return allowed.find((candidate) => candidate === this.value) ?? this.fail(`one of ${allowed.join(", ")}`);
    }

    private fail(expected: string): never {
        const found = this.value === undefined ? "missing" : JSON.stringify(this.value).slice(0, 80);
        throw new Error(`${this.path} is ${found}; expected ${expected}`);
    }
}
