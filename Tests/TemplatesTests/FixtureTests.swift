import Templates
import Testing

@Suite(.enabled(if: Fixtures.isPresent, "the shared fixtures are not beside the project"))
struct FixtureTests {
    @Test(arguments: Fixtures.cases)
    func `a real template renders what Jinja2 renders, or raises the same error`(fixture: FixtureCase) throws {
        let template = try ChatTemplate(source: fixture.template)
        switch fixture.expectation {
        case .output(let output): #expect(try fixture.prompt.render(with: template) == output)
        case .error(let message):
            #expect(throws: TemplateError.raised(message)) { try fixture.prompt.render(with: template) }
        }
    }

    @Test func `every fixture file is read`() throws {
        for file in Fixtures.files {
            let cases = try #require(try Fixtures.document(file)["cases"]?.elements)
            #expect(try Fixtures.cases(of: file).count == cases.count)
        }
    }
}
