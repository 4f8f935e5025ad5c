package frontend

// EmbedNewURL is the page that makes a snippet of a list for another site. view is list, map or agenda.
func EmbedNewURL(q Query, view string) string {
	q = q.Filters()
	q.View = view
	return q.URL("/embed/new")
}
