/// A property that does not hold; the description says which, and for what.
package struct PropertyFailure: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ what: String) { description = what }

    /// Fails where a condition does not hold; the text is made only then.
    @inline(__always)
    package static func unless(
        _ condition: Bool, _ text: @autoclosure () -> String
    ) throws(PropertyFailure) {
        if !condition { throw PropertyFailure(text()) }
    }
}
