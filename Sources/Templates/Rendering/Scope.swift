/// Variables set within one block. A class, because macros see later changes of the scope they were defined in.
final class Scope {
    let parent: Scope?
    private var variables: [String: TemplateValue] = [:]

    init(parent: Scope?) {
        self.parent = parent
    }

    /// The innermost variable of that name.
    func lookUp(_ name: String) -> TemplateValue? {
        var scope: Scope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }

    func set(_ name: String, to value: TemplateValue) {
        variables[name] = value
    }
}
