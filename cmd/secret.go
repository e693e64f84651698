package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"scalelite/web/admin"
)

func newSecretCommand(a *app) *cobra.Command {
	var rotate, yes, asJSON bool
	c := &cobra.Command{
		Use:   "secret",
		Short: "Print the secret that front-ends sign with",
		Long: `Prints the secrets that front-ends (Moodle, Greenlight ...) sign their calls with,
one a line, the first one first. They come from web.secrets or, where that is
empty, one was generated at the first start.

--rotate replaces the generated secret. Front-ends get no answer until they have
the new one; to change over without a gap list both in web.secrets.`,
		Example: `  scalelite secret
  scalelite secret --rotate`,
		GroupID: groupSetup,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			how := reads
			if rotate {
				how = changes
			}
			return a.with(c.Context(), how, func(svc admin.Service) error {
				secrets, err := svc.Secrets(c.Context())
				if err != nil {
					return err
				}
				if rotate {
					question := "Every front-end needs the new secret before it works again."
					if err := a.confirm(c.Context(), yes, question); err != nil {
						return err
					}
					if secrets, err = svc.RotateSecret(c.Context()); err != nil {
						return err
					}
				}
				return a.printSecrets(secrets, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&rotate, "rotate", false, "replace the generated secret by a new one")
	yesFlag(c, &yes)
	jsonFlag(c, &asJSON)
	return c
}

func (a *app) printSecrets(s admin.Secrets, asJSON bool) error {
	if asJSON {
		s.Secrets = list(s.Secrets)
		return printJSON(a.stdout, s)
	}
	for _, secret := range s.Secrets {
		if _, err := fmt.Fprintln(a.stdout, secret.Reveal()); err != nil {
			return err
		}
	}
	return nil
}
