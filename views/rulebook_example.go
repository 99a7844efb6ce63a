package views

// PolicyExample shows how a rule is written.
const PolicyExample = `@id("night")
@reason("Nobody is greeted at night.")
forbid (
  principal,
  action == Action::"operator.call",
  resource
) when {
  context.hour < 6
};`
