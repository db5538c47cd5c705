import { readFileSync } from "node:fs";

/** A JSON value whose shape is not known yet, with where it stands, for errors. */
export class Shape {
    private constructor(
        readonly value: unknown,
        readonly where: string,
    ) {}

    /** The value in a file. */
    static ofFile(path: string): Shape {
        return new Shape(JSON.parse(readFileSync(path, "utf8")), path);
    }

    /** A member of an object; a shape of nothing when there is none. */
    member(name: string): Shape {
        if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value)) {
            return this.fail("an object");
        }
        return new Shape((this.value as Record<string, unknown>)[name], `${this.where}: ${name}`);
    }

    /** The elements of an array, each read by `read`. */
    list<T>(read: (element: Shape) => T): readonly T[] {
        if (!Array.isArray(this.value)) {
            return this.fail("an array");
        }
        return this.value.map((element, at) => read(new Shape(element, `${this.where}[${at}]`)));
    }

    text(): string {
        return typeof this.value === "string" && this.value !== "" ? this.value : this.fail("a text that is not empty");
    }

    /** A text, which may be empty, or `undefined` for null. */
    anyTextOrNull(): string | undefined {
        return this.value === "" ? "" : this.textOrNull();
    }

    /** A text, or `undefined` for null. */
    textOrNull(): string | undefined {
        return this.value === null ? undefined : this.text();
    }

    flag(): boolean {
        return typeof this.value === "boolean" ? this.value : this.fail("true or false");
    }

    count(): number {
        const { value } = this;
        return typeof value === "number" && Number.isInteger(value) && value > 0 ? value : this.fail("a whole number from 1 on");
    }

    oneOf<T extends string>(allowed: readonly T[]): T {
        return allowed.find((one) => one === this.value) ?? this.fail(`one of ${allowed.join(", ")}`);
    }

    private fail(expected: string): never {
        const found = this.value === undefined ? "missing" : JSON.stringify(this.value).slice(0, 80);
        throw new Error(`${this.where} is ${found}; allowed is ${expected}`);
    }
}
